package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// maxNeurons is the largest number of important neurons that a request may ask for.
const maxNeurons = 1000

// scored is the result for one image in an answer.
type scored struct {
	Score          float64  `json:"score"`
	Prediction     int      `json:"prediction"`
	PredictionName string   `json:"prediction_name,omitempty"`
	OOD            *bool    `json:"ood"` // null without a threshold
	P              *float64 `json:"p_value,omitempty"`
	Neurons        []Neuron `json:"neurons,omitempty"`
}

func (m *model) scored(a Answer) scored {
	out := scored{Score: a.Score, Prediction: a.Prediction, PredictionName: m.className(a.Prediction),
		Neurons: a.Neurons}
	if a.Judged {
		out.OOD = &a.OOD
	}
	if m.calibrated() {
		out.P = &a.P
	}
	return out
}

// description is the answer that describes the served model.
type description struct {
	Name          string         `json:"name"`
	Version       string         `json:"version"`
	Method        string         `json:"method"`
	Params        map[string]any `json:"params"`
	Network       string         `json:"network"`
	Classes       int            `json:"classes"`
	ClassNames    []string       `json:"class_names,omitempty"`
	Input         []int          `json:"input"`
	Preprocessing string         `json:"preprocessing"`
	Neurons       int            `json:"neurons"`
	Threshold     *float64       `json:"threshold"`       // null where a calibration decides, or there is no threshold
	Alpha         *float64       `json:"alpha,omitempty"` // the false-alarm rate of the calibration
	Limits        limits         `json:"limits"`
}

type limits struct {
	Bytes   int64   `json:"bytes"`
	Pixels  int     `json:"pixels"`
	Queue   int     `json:"queue"`
	Batch   int     `json:"batch"`
	Seconds float64 `json:"seconds"`
}

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) error {
	m, release := s.use()
	defer release()
	net := m.Detector.Network()
	d := description{
		Name: s.config.Name, Version: m.Version, Method: m.Detector.Method(), Params: m.Detector.Params(),
		Network: net.Name(), Classes: net.Classes(),
		ClassNames: m.Classes, Input: m.input, Neurons: net.FeatureDim(), Preprocessing: m.prepares.String(),
		Limits: limits{s.config.MaxBytes, s.config.MaxPixels, s.config.Queue, m.most, s.config.Timeout.Seconds()},
	}
	if c, err := m.Detector.Calibrator(); err == nil {
		alpha := c.Options().Alpha
		d.Alpha = &alpha
	} else if t, err := m.Detector.FitThreshold(); err == nil {
		d.Threshold = &t
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// score answers POST /v1/score. The body is a picture's file, an npy file, or JSON.
func (s *Server) score(w http.ResponseWriter, r *http.Request) error {
	neurons, timeout, err := parameters(r, s.config.Timeout)
	if err != nil {
		return err
	}
	r, cancel := sooner(r, timeout)
	defer cancel()
	b, err := s.read(w, r)
	defer b.free()
	if err != nil {
		return err
	}
	m, release := s.use()
	defer release()
	in, err := m.read(r.Header.Get("Content-Type"), b.data)
	if err != nil {
		return err
	}
	answers, err := s.answer(r.Context(), m, in, neurons)
	if err != nil {
		return err
	}
	results := make([]scored, len(answers))
	for i, a := range answers {
		results[i] = m.scored(a)
	}
	writeJSON(w, http.StatusOK, struct {
		Model   string   `json:"model"`
		Version string   `json:"version"`
		Results []scored `json:"results"`
	}{s.config.Name, m.Version, results})
	return nil
}

// parameters reads the query parameters of POST /v1/score.
func parameters(r *http.Request, most time.Duration) (neurons int, timeout time.Duration, err error) {
	timeout = most
	for name, values := range r.URL.Query() {
		switch name {
		case "neurons":
			neurons, err = strconv.Atoi(values[0])
			if err != nil || neurons < 0 || neurons > maxNeurons {
				return 0, 0, badRequest("neurons=%q: expected 0 to %d", values[0], maxNeurons)
			}
		case "timeout":
			d, err := time.ParseDuration(values[0])
			if err != nil || d <= 0 {
				return 0, 0, badRequest("timeout=%q: expected a duration such as 500ms", values[0])
			}
			timeout = min(most, d)
		default:
			return 0, 0, badRequest("unknown parameter %q: expected neurons or timeout", name)
		}
	}
	return neurons, timeout, nil
}

// input holds the images of a request: tensors that are network input, or pictures.
type input struct {
	tensors  [][]float32
	pictures [][]byte        // files
	pixels   []dataset.Image // 8-bit RGB
}

func (in input) len() int { return len(in.tensors) + len(in.pictures) + len(in.pixels) }

// read reads the body of POST /v1/score.
func (m *model) read(contentType string, data []byte) (input, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case kind == "application/json":
		return m.inputJSON(data)
	case strings.HasPrefix(string(data[:min(6, len(data))]), "\x93NUMPY"):
		return m.inputNpy(data)
	case kind == "multipart/form-data":
		return input{}, fail(http.StatusUnsupportedMediaType,
			"Content-Type %s: expected the picture itself as the body (curl --data-binary @picture.jpg)", kind)
	}
	return input{pictures: [][]byte{data}}, nil
}

// inputJSON reads {"picture": base64} or {"tensor": {"shape": [...], "data": [...]}}.
func (m *model) inputJSON(data []byte) (input, error) {
	var v struct {
		Picture []byte `json:"picture"`
		Tensor  *struct {
			Shape []int           `json:"shape"`
			Data  json.RawMessage `json:"data"`
		} `json:"tensor"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return input{}, badRequest("expected JSON of a picture (base64) or a tensor (shape, data): %w", err)
	}
	if d.More() {
		return input{}, badRequest("expected one JSON value, got more behind it")
	}
	switch {
	case (v.Picture == nil) == (v.Tensor == nil):
		return input{}, badRequest("expected either picture or tensor")
	case v.Picture != nil:
		return input{pictures: [][]byte{v.Picture}}, nil
	}
	n, err := m.images(v.Tensor.Shape)
	if err != nil {
		return input{}, err
	}
	x, err := parseNumbers[float32](v.Tensor.Data, v.Tensor.Shape, n*m.size)
	if err != nil {
		return input{}, badRequest("tensor: %w", err)
	}
	return m.split(x)
}

func (m *model) inputNpy(data []byte) (input, error) {
	a, err := npyz.ReadNpy(bytes.NewReader(data))
	if err != nil {
		return input{}, badRequest("npy: %w", err)
	}
	if pix, ok := a.Data.([]uint8); ok {
		return pixels(pix, a.Shape)
	}
	if _, err := m.images(a.Shape); err != nil {
		return input{}, err
	}
	x, err := a.RoundFloat32()
	if err != nil {
		return input{}, badRequest("npy: %w", err)
	}
	return m.split(x)
}

// images returns the number of images in a tensor of that shape, which must be that of one network input or of a batch.
func (m *model) images(shape []int) (int, error) {
	own := shape
	n := 1
	if len(shape) == len(m.input)+1 {
		n, own = shape[0], shape[1:]
	}
	if len(own) != len(m.input) {
		return 0, m.badShape(shape)
	}
	for i, v := range own {
		if v != m.input[i] {
			return 0, m.badShape(shape)
		}
	}
	if n < 1 || n > 1<<20 {
		return 0, m.badShape(shape)
	}
	return n, nil
}

func (m *model) badShape(shape []int) error {
	return badRequest("expected a tensor of shape %v or a batch of them, got %v", m.input, shape)
}

// split divides a tensor into images. Its numbers must be finite.
func (m *model) split(x []float32) (input, error) {
	for i, v := range x {
		if v-v != 0 {
			return input{}, badRequest("expected finite numbers, got %v at index %d", v, i)
		}
	}
	var in input
	for ; len(x) > 0; x = x[m.size:] {
		in.tensors = append(in.tensors, x[:m.size])
	}
	return in, nil
}

// pixels divides 8-bit RGB, of shape [height, width, 3] or [images, height, width, 3], into pictures.
func pixels(pix []uint8, shape []int) (input, error) {
	own, n := shape, 1
	if len(shape) == 4 {
		n, own = shape[0], shape[1:]
	}
	if len(own) != 3 || own[2] != 3 || n < 1 || own[0] < 1 || own[1] < 1 {
		return input{}, badRequest("expected pixels of shape [height, width, 3] or a batch of them, got %v", shape)
	}
	var in input
	for size := len(pix) / n; len(pix) > 0; pix = pix[size:] {
		in.pixels = append(in.pixels, dataset.Image{Pix: pix[:size], Height: own[0], Width: own[1]})
	}
	return in, nil
}

// answer prepares the images of a request and returns the model's answers.
func (s *Server) answer(ctx context.Context, m *model, in input, neurons int) ([]Answer, error) {
	n := in.len()
	if n > s.config.Queue {
		return nil, fail(http.StatusRequestEntityTooLarge, "expected at most %d images, got %d", s.config.Queue, n)
	}
	if !s.room.take(n) {
		return nil, errBusy
	}
	queued := false
	defer func() { // runs even if a decoder panics
		if !queued {
			s.room.free(n)
		}
	}()
	x := in.tensors
	if x == nil {
		var err error
		if x, err = s.prepare(ctx, m, in); err != nil {
			return nil, err
		}
	}
	queued = true
	answers, err := m.answer(ctx, x, neurons)
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		m.stats.count(a.Result)
	}
	return answers, nil
}

// prepare decodes pictures and preprocesses them into network input.
func (s *Server) prepare(ctx context.Context, m *model, in input) ([][]float32, error) {
	var decoder *dataset.Reader
	select {
	case decoder = <-s.decoders:
		defer func() { s.decoders <- decoder }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var x [][]float32
	add := func(img dataset.Image) error {
		if err := s.checkPixels(m.prepares, img); err != nil {
			return err
		}
		v, err := m.prepare(img)
		x = append(x, v)
		return err
	}
	for _, file := range in.pictures {
		used := false
		err := decoder.Decode(ctx, file, s.config.MaxPixels, func(img dataset.Image) error {
			used = true
			return add(img)
		})
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && !used:
			return nil, badRequest("%w", err)
		case err != nil:
			return nil, err
		}
	}
	for _, img := range in.pixels {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := add(img); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// checkPixels refuses a picture that has too many pixels, or that would have too many after its shorter side is
// resized.
func (s *Server) checkPixels(p nets.Preprocessing, img dataset.Image) error {
	long, short := max(img.Height, img.Width), min(img.Height, img.Width)
	most := s.config.MaxPixels
	if long > most/short || p.Resize > 0 && int64(p.Resize)*int64(p.Resize) > int64(most)*int64(short)/int64(long) {
		return badRequest("picture of %d×%d pixels (width × height): expected at most %d pixels, also when its "+
			"shorter side is %d", img.Width, img.Height, most, p.Resize)
	}
	return nil
}
