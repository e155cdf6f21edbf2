package serve

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
)

// TestTritonClient: Triton's HTTP client from PyPI, which was not made for goline, gets the detector's scores.
func TestTritonClient(t *testing.T) {
	python := peertest.Python(t, "tritonclient.http")
	det := calibrated(t, fitted(t, 1))
	s := start(t, Config{Load: always(det)})
	dir := t.TempDir()
	img, file := picture(t, 40, 36, 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.png"), file, 0o666))
	b := nettest.Batch(2, det.Network().InputShape(), 0, 3)
	require.NoError(t, npyz.WriteNpyFile(filepath.Join(dir, "x.npy"), npyz.New(b.X, 2, 3, 32, 32)))
	cmd := exec.CommandContext(t.Context(), python, "testdata/triton_client.py", strings.TrimPrefix(s.http.URL,
		"http://"), "tiny", filepath.Join(dir, "a.png"), filepath.Join(dir, "x.npy"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var got struct {
		Outputs []string
		Picture struct {
			Score, P_value []float64
			Prediction     []int
			OOD            []bool
		}
		Tensor  [][]float64
		Refused string
	}
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	require.Equal(t, []string{"score", "prediction", "ood", "p_value", "neurons", "contributions"}, got.Outputs)
	want, err := det.ScoreImage(t.Context(), img)
	require.NoError(t, err)
	require.Equal(t, []any{want.Score, want.P, want.Prediction, want.OOD},
		[]any{got.Picture.Score[0], got.Picture.P_value[0], got.Picture.Prediction[0], got.Picture.OOD[0]})
	scores, err := det.Score(t.Context(), nettest.Stream(b))
	require.NoError(t, err)
	require.Len(t, got.Tensor, 6)
	for _, g := range got.Tensor {
		require.Equal(t, scores.Score, g)
	}
	require.Contains(t, got.Refused, "expected a tensor of shape [3 32 32]")
}

// inference sends a request of the protocol, followed by binary data unless that is nil, and returns the answer.
func (r running) inference(t testing.TB, request string, behind []byte) (int, string) {
	t.Helper()
	var headers []string
	if behind != nil {
		headers = []string{headerLength, strconv.Itoa(len(request))}
	}
	status, body := r.send(t, http.MethodPost, "/v2/models/tiny/infer", "application/octet-stream",
		append([]byte(request), behind...), headers...)
	return status, string(body)
}

// TestProtocolRefusals: a faulty request is answered with status 400 and a message that names the fault.
func TestProtocolRefusals(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1))})
	zeros := make([]byte, 4*3072)
	in := func(name, datatype, shape, rest string) string {
		return fmt.Sprintf(`{"inputs": [{"name": %q, "datatype": %q, "shape": %s, %s}]}`, name, datatype, shape, rest)
	}
	size := fmt.Sprintf(`"parameters": {"binary_data_size": %d}`, len(zeros))
	good := in("input", "FP32", "[1, 3, 32, 32]", size)
	for _, c := range []struct {
		request string
		behind  []byte
		want    string
	}{
		{"", nil, "JSON of an inference request"},
		{"[]", nil, "JSON of an inference request"},
		{"{}", nil, `expected one input, "input", "picture" or "pixels", got 0`},
		{`{"inputs": [{}, {}]}`, nil, "got 2"},
		{in("x", "FP32", "[1, 3, 32, 32]", size), zeros, `input "x" of FP32: expected "input"`},
		{in("input", "INT8", "[1, 3, 32, 32]", size), zeros, `input "input" of INT8`},
		{in("input", "FP32", "[1, 3, 32]", size), zeros, "got [1 3 32]"},
		{in("input", "FP32", "[-1, 3, 32, 32]", size), zeros, "got [-1 3 32 32]"},
		{in("input", "FP32", "[2, 3, 32, 32]", size), zeros,
			"expected 6144 numbers in 24576 bytes by the shape, got 12288 bytes"},
		{in("input", "FP64", "[1, 3, 32, 32]", size), zeros, "expected 3072 numbers in 24576 bytes"},
		{good, zeros[1:], "expected the 12287 bytes behind the JSON"},
		{good, nil, "expected the 0 bytes behind the JSON"},
		{in("input", "FP32", "[1, 3, 32, 32]", `"data": [1]`), zeros, "expected nothing behind the JSON"},
		{in("input", "FP32", "[1, 3, 32, 32]", `"data": [1]`), nil, "expected 3072 elements"},
		{in("input", "FP32", "[1, 3, 32, 32]", `"parameters": {}`), nil, "expected data, or binary_data_size"},
		{in("input", "FP32", "[1, 3, 32, 32]", `"parameters": {"shared_memory_region": "a"}`), nil,
			"shared memory is not offered"},
		{in("picture", "BYTES", "[1]", `"data": ["AAAA"]`), nil, "not a JPEG"},
		{in("picture", "BYTES", "[2]", `"data": ["AAAA"]`), nil, "expected 2 pictures by the shape, got 1"},
		{in("picture", "BYTES", "[0]", `"data": []`), nil, "expected [images]"},
		{in("picture", "BYTES", "[1]", `"parameters": {"binary_data_size": 5}`), []byte{255, 255, 255, 255, 0},
			"element 0 is cut off"},
		{in("picture", "BYTES", "[1]", `"parameters": {"binary_data_size": 10}`), []byte{1, 0, 0, 0, 9, 1, 0, 0, 0, 9},
			"expected 1 elements by the shape, got 2"},
		{in("pixels", "UINT8", "[1, 2, 2, 3]", `"data": [1, 256]`), nil, `expected 0 to 255, got "256"`},
		{in("pixels", "UINT8", "[1, 2, 2, 1]", `"data": [1, 2, 3, 4]`), nil,
			"expected pixels of shape [height, width, 3]"},
		{in("pixels", "UINT8", "[268435456, 268435456, 4]", `"data": []`), nil, "shape [268435456 268435456 4]"},
		{good[:len(good)-1] + `, "outputs": [{"name": "p_value"}]}`, zeros,
			`output "p_value": expected one of score prediction ood neurons contributions`},
		{good[:len(good)-1] + `, "outputs": [{"name": "score"}, {"name": "score"}]}`, zeros, "each once"},
		{good[:len(good)-1] + `, "parameters": {"neurons": 0}}`, zeros, "expected 1 to 1000"},
	} {
		status, body := s.inference(t, c.request, c.behind)
		require.Equal(t, http.StatusBadRequest, status, "%s: %s", c.request, body)
		require.Contains(t, strings.ReplaceAll(body, `\"`, `"`), c.want, c.request)
	}
	for _, n := range []string{"-1", "x", "99999999999999999999", "70000"} {
		require.Contains(t, s.message(t, 400, http.MethodPost, "/v2/models/tiny/infer", "", []byte(good), headerLength,
			n), headerLength)
	}
	require.Contains(t, s.message(t, 404, http.MethodPost, "/v2/models/other/infer", "", nil), `expected "tiny"`)
	require.Contains(t, s.message(t, 404, http.MethodGet, "/v2/models/tiny/versions/two/ready", "", nil), "version")
	nan := bytes.Clone(zeros)
	binary.LittleEndian.PutUint32(nan[8:], math.Float32bits(float32(math.NaN())))
	_, body := s.inference(t, good, nan)
	require.Contains(t, body, "expected finite numbers, got NaN at index 2")
	status, body := s.inference(t, good, zeros)
	require.Equal(t, http.StatusOK, status, body)
}

// TestPixelsAreFramed: 8-bit RGB of several pictures gives the same results as JSON and as binary data.
func TestPixelsAreFramed(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1))})
	pix := make([]byte, 2*40*36*3)
	for i := range pix {
		pix[i] = byte(i * i)
	}
	text := strings.ReplaceAll(strings.Trim(fmt.Sprint(pix), "[]"), " ", ",")
	_, a := s.inference(t,
		`{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[2,36,40,3],"parameters":{"binary_data_size":8640}}]}`,
		pix)
	_, b := s.inference(t, `{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[2,36,40,3],"data":[`+text+`]}]}`,
		nil)
	require.Contains(t, a, `"shape":[2],"data":[`)
	require.Equal(t, a, b)
}

// TestBinaryOutputs: binary outputs have the values of the same outputs in JSON.
func TestBinaryOutputs(t *testing.T) {
	det := calibrated(t, fitted(t, 1))
	s := start(t, Config{Load: always(det)})
	const n, k = 64, 3
	b := nettest.Batch(n, det.Network().InputShape(), 0, 8)
	for i := range b.X[:len(b.X)/2] {
		b.X[i] *= 0.01 // far from the images it was fitted to
	}
	raw, err := binary.Append(nil, binary.LittleEndian, b.X)
	require.NoError(t, err)
	ask := func(binary bool) (head, behind []byte) {
		request := fmt.Sprintf(`{"inputs":[{"name":"input","datatype":"FP32","shape":[%d,3,32,32],"parameters":{"binary_data_size":%d}}],
			"parameters":{"binary_data_output":%v,"neurons":%d},
			"outputs":[{"name":"ood"},{"name":"p_value"},{"name":"contributions"},{"name":"neurons"},{"name":"score"},{"name":"prediction"}]}`, n, len(raw), binary, k)
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			s.http.URL+"/v2/models/tiny/versions/one/infer", bytes.NewReader(append([]byte(request), raw...)))
		require.NoError(t, err)
		q.Header.Set(headerLength, strconv.Itoa(len(request)))
		a, err := s.http.Client().Do(q)
		require.NoError(t, err)
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.StatusCode, "%s", body)
		if !binary {
			require.Empty(t, a.Header.Get(headerLength))
			return body, nil
		}
		size, err := strconv.Atoi(a.Header.Get(headerLength))
		require.NoError(t, err)
		return body[:size], body[size:]
	}
	type outputs struct {
		Outputs []struct {
			Name       string
			Shape      []int
			Parameters struct{ Binary_data_size int }
			Data       []any
		}
	}
	var plain, sized outputs
	head, _ := ask(false)
	require.NoError(t, json.Unmarshal(head, &plain))
	head, behind := ask(true)
	require.NoError(t, json.Unmarshal(head, &sized))
	ood := 0
	for i, o := range plain.Outputs {
		require.Equal(t, o.Shape, sized.Outputs[i].Shape)
		size := sized.Outputs[i].Parameters.Binary_data_size
		r := bytes.NewReader(behind[:size])
		behind = behind[size:]
		for _, v := range o.Data {
			switch o.Name {
			case "ood":
				var got bool
				require.NoError(t, binary.Read(r, binary.LittleEndian, &got))
				require.Equal(t, v, got)
				if got {
					ood++
				}
			case "score", "p_value":
				var got float64
				require.NoError(t, binary.Read(r, binary.LittleEndian, &got))
				require.Equal(t, v, got)
			case "contributions":
				var got float32
				require.NoError(t, binary.Read(r, binary.LittleEndian, &got))
				require.Equal(t, float32(v.(float64)), got)
			default:
				var got int64
				require.NoError(t, binary.Read(r, binary.LittleEndian, &got))
				require.Equal(t, int64(v.(float64)), got)
			}
		}
		require.Zero(t, r.Len(), o.Name)
	}
	require.Empty(t, behind)
	require.Equal(t, []int{n, k}, plain.Outputs[2].Shape)
	require.Positive(t, ood)
	require.Less(t, ood, n)
}

// FuzzNumbers: JSON of numbers, flat or nested, is read as encoding/json reads it, or refused.
func FuzzNumbers(f *testing.F) {
	for _, text := range []string{`[1,2,3,4]`, `[[1,2],[3,4]]`, ` [ [ 1 , 2e1 ] , [ -3 , 4.5 ] ] `, `[[1,2],[3]]`,
		`[[[1]]]`, `[1,[2],3,4]`, `[1,2,3,"4"]`, `{}`, `[]`, `[[],[]]`, `null`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) { // encoding/json checks this before
			return
		}
		got, err := parseNumbers[float32]([]byte(text), []int{2, 2}, 4)
		var flat [4]*float32
		var nested [][]*float32
		flatErr := exactly(text, &flat)
		nestedErr := json.Unmarshal([]byte(text), &nested)
		ok := flatErr == nil
		if nestedErr == nil && len(nested) == 2 && len(nested[0]) == 2 && len(nested[1]) == 2 {
			flat, ok = [4]*float32{nested[0][0], nested[0][1], nested[1][0], nested[1][1]}, true
		}
		for _, v := range flat {
			ok = ok && v != nil
		}
		require.Equal(t, ok, err == nil, "%q: %v", text, err)
		if ok {
			for i, v := range flat {
				require.Equal(t, *v, got[i])
			}
		}
	})
}

// exactly parses an array of exactly four elements.
func exactly(text string, to *[4]*float32) error {
	var all []*float32
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return err
	}
	if len(all) != 4 {
		return fmt.Errorf("%d elements", len(all))
	}
	copy(to[:], all)
	return nil
}

// FuzzInference: any body is answered, and never with an internal error of the server.
func FuzzInference(f *testing.F) {
	s := start(f, Config{Load: always(fitted(f, 1)), MaxBytes: 1 << 16})
	f.Add([]byte(`{"inputs":[{"name":"picture","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}]}`),
		[]byte{1, 0, 0, 0, 9})
	f.Add([]byte(`{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,3]}],`+
		`"parameters":{"timeout":1e300}}`), []byte(nil))
	handler := s.http.Config.Handler
	f.Fuzz(func(t *testing.T, head, behind []byte) { // no connection, which takes longer than the answer
		q := httptest.NewRequest(http.MethodPost, "/v2/models/tiny/infer",
			bytes.NewReader(append(bytes.Clone(head), behind...)))
		q.Header.Set(headerLength, strconv.Itoa(len(head)))
		a := httptest.NewRecorder()
		handler.ServeHTTP(a, q)
		require.Less(t, a.Code, 500, "%s", a.Body)
	})
}
