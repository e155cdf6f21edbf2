package serve

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// This file implements the Open Inference protocol over HTTP, https://github.com/kserve/open-inference-protocol, and
// its extension for binary tensors:
// https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_binary_data.html.

// Names of input tensors. A request has exactly one of them.
const (
	inputTensor   = "input"   // FP32 or FP64 [images, ...]: network input
	inputPicture  = "picture" // BYTES [images]: JPEG, PNG, GIF, BMP or WebP files; in JSON they are base64
	inputPixels   = "pixels"  // UINT8 [images, height, width, 3]: RGB
	headerLength  = "Inference-Header-Content-Length"
	defaultNumber = 10 // of neurons, if the request does not say it
)

// tensorInfo describes a tensor.
type tensorInfo struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func (s *Server) serverMetadata(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{"goline", "2", []string{"binary_tensor_data"}})
	return nil
}

// named calls h for requests that name the model and, if they name a version, the model's version.
func (s *Server) named(h func(w http.ResponseWriter, r *http.Request, m *model) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		m, release := s.use()
		defer release()
		if name := r.PathValue("model"); name != s.config.Name {
			return fail(http.StatusNotFound, "model %q: expected %q", name, s.config.Name)
		}
		if v := r.PathValue("version"); v != "" && v != m.Version {
			return fail(http.StatusNotFound, "version %q of model %s: expected %q", v, s.config.Name, m.Version)
		}
		return h(w, r, m)
	}
}

func (s *Server) modelReady(w http.ResponseWriter, r *http.Request, _ *model) error {
	return s.ready(w, r)
}

func (s *Server) modelMetadata(w http.ResponseWriter, _ *http.Request, m *model) error {
	inputs := []tensorInfo{{inputTensor, "FP32", append([]int{-1}, m.input...)}}
	if len(m.input) == 3 {
		inputs = append(inputs, tensorInfo{inputPicture, "BYTES", []int{-1}}, tensorInfo{inputPixels, "UINT8",
			[]int{-1, -1, -1, 3}})
	}
	var outputs []tensorInfo
	for _, o := range m.outputs() {
		shape := []int{-1}
		if o.wide {
			shape = []int{-1, -1}
		}
		outputs = append(outputs, tensorInfo{o.name, o.datatype, shape})
	}
	writeJSON(w, http.StatusOK, struct {
		Name     string       `json:"name"`
		Versions []string     `json:"versions"`
		Platform string       `json:"platform"`
		Inputs   []tensorInfo `json:"inputs"`
		Outputs  []tensorInfo `json:"outputs"`
	}{s.config.Name, []string{m.Version}, "goline_" + m.Detector.Method(), inputs, outputs})
	return nil
}

// inferRequest is the JSON of an inference request.
type inferRequest struct {
	ID         string `json:"id"`
	Parameters struct {
		Binary  bool     `json:"binary_data_output"`
		Timeout *float64 `json:"timeout"` // microseconds
		Neurons *int     `json:"neurons"`
	} `json:"parameters"`
	Inputs []struct {
		Name       string `json:"name"`
		Datatype   string `json:"datatype"`
		Shape      []int  `json:"shape"`
		Parameters struct {
			Size   *int64  `json:"binary_data_size"`
			Region *string `json:"shared_memory_region"`
		} `json:"parameters"`
		Data json.RawMessage `json:"data"`
	} `json:"inputs"`
	Outputs []struct {
		Name       string `json:"name"`
		Parameters struct {
			Binary *bool   `json:"binary_data"`
			Region *string `json:"shared_memory_region"`
		} `json:"parameters"`
	} `json:"outputs"`
}

// infer answers an inference request.
func (s *Server) infer(w http.ResponseWriter, r *http.Request, m *model) error {
	b, err := s.read(w, r)
	defer b.free()
	if err != nil {
		return err
	}
	head, binary := b.data, []byte(nil)
	if text := r.Header.Get(headerLength); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > len(head) {
			return badRequest("%s %q: expected the bytes of JSON in a body of %d", headerLength, text, len(head))
		}
		head, binary = head[:n], head[n:]
	}
	var q inferRequest
	if err := json.Unmarshal(head, &q); err != nil {
		return badRequest("expected the JSON of an inference request: %w", err)
	}
	neurons, outputs, err := q.wants(m)
	if err != nil {
		return err
	}
	if t := q.Parameters.Timeout; t != nil && *t > 0 && *t < float64(math.MaxInt64/time.Microsecond) {
		var cancel func()
		r, cancel = sooner(r, time.Duration(*t)*time.Microsecond)
		defer cancel()
	}
	in, err := q.input(m, binary)
	if err != nil {
		return err
	}
	answers, err := s.answer(r.Context(), m, in, neurons)
	if err != nil {
		return err
	}
	return writeInference(w, s.config.Name, m.Version, q.ID, outputs, answers, neurons)
}

// input returns the only input of a request. binary holds the data behind the JSON, all of which must be used.
func (q *inferRequest) input(m *model, binary []byte) (input, error) {
	if len(q.Inputs) != 1 {
		return input{}, badRequest("expected one input, %q, %q or %q, got %d", inputTensor, inputPicture, inputPixels,
			len(q.Inputs))
	}
	t := &q.Inputs[0]
	switch size := t.Parameters.Size; {
	case t.Parameters.Region != nil:
		return input{}, badRequest("input %q: shared memory is not offered", t.Name)
	case size == nil && len(binary) > 0:
		return input{}, badRequest("expected nothing behind the JSON, got %d bytes", len(binary))
	case size != nil && (*size != int64(len(binary)) || t.Data != nil):
		return input{},
			badRequest("input %q: binary_data_size %d: expected the %d bytes behind the JSON, and no data in it",
				t.Name, *size, len(binary))
	case size == nil && t.Data == nil:
		return input{}, badRequest("input %q: expected data, or binary_data_size", t.Name)
	}
	var in input
	var err error
	switch isBinary := t.Parameters.Size != nil; {
	case t.Name == inputTensor && (t.Datatype == "FP32" || t.Datatype == "FP64"):
		in, err = m.tensor(t.Datatype, t.Shape, t.Data, binary, isBinary)
	case t.Name == inputPicture && t.Datatype == "BYTES":
		in, err = pictures(t.Shape, t.Data, binary, isBinary)
	case t.Name == inputPixels && t.Datatype == "UINT8":
		in, err = readPixels(t.Shape, t.Data, binary, isBinary)
	default:
		return input{}, badRequest("input %q of %s: expected %q of FP32 or FP64, %q of BYTES or %q of UINT8", t.Name,
			t.Datatype, inputTensor, inputPicture, inputPixels)
	}
	if err != nil {
		return input{}, prefixed(err, "input %q: ", t.Name)
	}
	return in, nil
}

// tensor reads an input that is network input.
func (m *model) tensor(datatype string, shape []int, data, binary []byte, isBinary bool) (input, error) {
	n, err := m.images(shape)
	if err != nil {
		return input{}, err
	}
	var x []float32
	switch count := n * m.size; {
	case !isBinary:
		x, err = parseNumbers[float32](data, shape, count)
	case datatype == "FP32":
		x, err = floats32(binary, count)
	default:
		x, err = floats64(binary, count)
	}
	if err != nil {
		return input{}, err
	}
	return m.split(x)
}

// pictures reads an input of picture files.
func pictures(shape []int, data, binary []byte, isBinary bool) (input, error) {
	n := 1
	for _, v := range shape {
		if v < 1 || v > 1<<20 || n > 1<<20 {
			return input{}, badRequest("shape %v: expected [images]", shape)
		}
		n *= v
	}
	if isBinary {
		files, err := byteStrings(binary, n)
		return input{pictures: files}, err
	}
	var files [][]byte
	if err := json.Unmarshal(data, &files); err != nil {
		return input{}, badRequest("expected an array of pictures in base64: %w", err)
	}
	if len(files) != n {
		return input{}, badRequest("expected %d pictures by the shape, got %d", n, len(files))
	}
	return input{pictures: files}, nil
}

// readPixels reads an input of 8-bit RGB pixels.
func readPixels(shape []int, data, binary []byte, isBinary bool) (input, error) {
	count := 1
	for _, v := range shape {
		if v < 1 || v > 1<<28 || count > 1<<28/v {
			return input{}, badRequest("shape %v: expected [images, height, width, 3]", shape)
		}
		count *= v
	}
	pix := binary
	if !isBinary {
		v, err := parseNumbers[uint8](data, shape, count)
		if err != nil {
			return input{}, err
		}
		pix = v
	}
	if len(pix) != count {
		return input{}, badRequest("expected %d bytes by the shape, got %d", count, len(pix))
	}
	return pixels(pix, shape)
}
