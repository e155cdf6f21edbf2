package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// TestPicturesAreScoredAsByTheDetector: however a picture is sent, the answer has the bits, the p-value and the verdict
// of ScoreImage.
func TestPicturesAreScoredAsByTheDetector(t *testing.T) {
	plain := fitted(t, 1)
	for name, det := range map[string]*line.Detector{"threshold": plain, "calibrated": calibrated(t, plain)} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{Load: always(det)})
			for i := range uint64(4) {
				img, file := picture(t, 40, 36, i)
				want, err := det.ScoreImage(t.Context(), img)
				require.NoError(t, err)
				check := func(got []scored) {
					t.Helper()
					require.Len(t, got, 1)
					require.Equal(t, want.Score, got[0].Score)
					require.Equal(t, want.Prediction, got[0].Prediction)
					require.Equal(t, []string{"cat", "dog", "frog"}[want.Prediction], got[0].PredictionName)
					require.Equal(t, want.OOD, *got[0].OOD)
					if name == "calibrated" {
						require.Equal(t, want.P, *got[0].P)
					} else {
						require.Nil(t, got[0].P)
					}
				}
				check(s.results(t, "/v1/score", "image/png", file))
				// the content type that curl sends by default
				check(s.results(t, "/v1/score", "application/x-www-form-urlencoded", file))
				check(s.results(t, "/v1/score", "application/json", fmt.Appendf(nil, `{"picture": %q}`,
					base64.StdEncoding.EncodeToString(file))))
				var npy bytes.Buffer
				pixels := dataset.FromImage(img)
				require.NoError(t, npyz.WriteNpy(&npy, npyz.New(pixels.Pix, 36, 40, 3)))
				check(s.results(t, "/v1/score", "", npy.Bytes()))
			}
		})
	}
}

// TestTensorsAreScoredAsByTheDetector: a tensor gives the detector's scores as npy and as JSON, flat or nested, for one
// image or a batch.
func TestTensorsAreScoredAsByTheDetector(t *testing.T) {
	det := fitted(t, 1)
	s := start(t, Config{Load: always(det)})
	shape := det.Network().InputShape()
	b := nettest.Batch(5, shape, 0, 9)
	want, err := det.Score(t.Context(), nettest.Stream(b))
	require.NoError(t, err)
	check := func(got []scored, n int) {
		t.Helper()
		require.Len(t, got, n)
		for i, g := range got {
			require.Equal(t, want.Score[i], g.Score)
			require.Equal(t, want.Prediction[i], g.Prediction)
		}
	}
	var npy bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&npy, npyz.New(b.X, append([]int{5}, shape...)...)))
	check(s.results(t, "/v1/score", "application/octet-stream", npy.Bytes()), 5)
	for _, n := range []int{1, 5} {
		flat := b.X[:n*len(b.X)/5]
		for _, data := range []any{flat, nest(flat, append([]int{n}, shape...))} {
			body, err := json.Marshal(map[string]any{"tensor": map[string]any{"shape": append([]int{n}, shape...),
				"data": data}})
			require.NoError(t, err)
			check(s.results(t, "/v1/score", "application/json", body), n)
		}
	}
	body, err := json.Marshal(map[string]any{"tensor": map[string]any{"shape": shape, "data": b.X[:len(b.X)/5]}})
	require.NoError(t, err)
	check(s.results(t, "/v1/score", "application/json; charset=utf-8", body), 1)
}

// nest returns a tensor as nested arrays.
func nest(x []float32, shape []int) any {
	if len(shape) == 1 {
		return x
	}
	out := make([]any, shape[0])
	for i := range out {
		step := len(x) / shape[0]
		out[i] = nest(x[i*step:][:step], shape[1:])
	}
	return out
}

// TestNeuronsAreThoseOfTheGraph: the answer has the contributions that the expression graph computes, of neurons that
// LINe keeps, the largest first.
func TestNeuronsAreThoseOfTheGraph(t *testing.T) {
	det := fitted(t, 1)
	s := start(t, Config{Load: always(det)})
	b := nettest.Batch(1, det.Network().InputShape(), 0, 4)
	o := s.model.single.Options()
	o.Fetch = []string{line.ContributionsNode, nets.Prediction}
	prog, err := det.Compile(o)
	require.NoError(t, err)
	var contributions []float32
	class := 0
	for out, err := range prog.Run(t.Context(), nettest.Stream(b)) {
		require.NoError(t, err)
		contributions, class = slices.Clone(out.Float32(line.ContributionsNode)), out.Ints(nets.Prediction)[0]
	}
	var npy bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&npy, npyz.New(b.X, det.Network().InputShape()...)))
	got := s.results(t, "/v1/score?neurons=1000", "", npy.Bytes())[0]
	require.Equal(t, class, got.Prediction)
	kept := 0
	for _, k := range det.ActiveNeurons(class) {
		if k {
			kept++
		}
	}
	require.Len(t, got.Neurons, kept)
	for i, n := range got.Neurons {
		require.Equal(t, contributions[n.Index], n.Contribution)
		require.True(t, det.ActiveNeurons(class)[n.Index])
		if i > 0 {
			require.GreaterOrEqual(t, got.Neurons[i-1].Contribution, n.Contribution)
		}
	}
	require.Len(t, s.results(t, "/v1/score?neurons=1", "", npy.Bytes())[0].Neurons, 1)
	require.Empty(t, s.results(t, "/v1/score", "", npy.Bytes())[0].Neurons)
}

// TestOtherMethodsAreServed: a detector that is not LINe gives its own scores.
func TestOtherMethodsAreServed(t *testing.T) {
	b := nettest.Batch(30, []int{3, 32, 32}, classes, 1)
	net := nettest.DenseNetBC(t, 10, 4, classes, 1)
	samples := posthoc.Samples{N: 30, FeatureDim: net.FeatureDim(), Classes: classes, Labels: b.Labels}
	rows := nettest.Batch(30, []int{net.FeatureDim()}, 0, 5)
	samples.Features = rows.X
	samples.Logits = nettest.Batch(30, []int{classes}, 0, 6).X
	det, err := line.FitMethod(t.Context(), net, "msp", nil, samples)
	require.NoError(t, err)
	s := start(t, Config{Load: always(det)})
	want, err := det.Score(t.Context(), nettest.Stream(b))
	require.NoError(t, err)
	var npy bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&npy, npyz.New(b.X, 30, 3, 32, 32)))
	for i, got := range s.results(t, "/v1/score?neurons=3", "", npy.Bytes()) {
		require.Equal(t, want.Score[i], got.Score)
		require.Equal(t, want.Prediction[i], got.Prediction)
		require.Len(t, got.Neurons, 3)
	}
}

// TestManyClients: requests that run together in batches of any size get the bits that each gets alone.
func TestManyClients(t *testing.T) {
	det := fitted(t, 1)
	s := start(t, Config{Load: always(det)})
	const clients, each = 16, 8
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for i := range each {
				img, file := picture(t, 33+c, 34, uint64(c*each+i))
				want, err := det.ScoreImage(t.Context(), img)
				require.NoError(t, err)
				require.Equal(t, want.Score, s.results(t, "/v1/score", "", file)[0].Score)
			}
		})
	}
	group.Wait()
	_, text := s.send(t, http.MethodGet, "/metrics", "", nil)
	require.Contains(t, string(text), fmt.Sprintf(`goline_requests_total{api="score",code="200"} %d`, clients*each))
	require.Contains(t, string(text), fmt.Sprintf("goline_score_count{version=\"one\"} %d", clients*each))
	require.Contains(t, string(text), fmt.Sprintf("goline_queue_duration_seconds_count %d", clients*each))
}

// TestDescription: the description of the model is right, including its limits.
func TestDescription(t *testing.T) {
	det := fitted(t, 1)
	s := start(t, Config{Load: always(det), Queue: 7})
	status, body := s.send(t, http.MethodGet, "/v1/model", "", nil)
	require.Equal(t, http.StatusOK, status)
	var d description
	require.NoError(t, json.Unmarshal(body, &d))
	threshold, err := det.FitThreshold()
	require.NoError(t, err)
	require.Equal(t, threshold, *d.Threshold)
	require.Equal(t, []any{"tiny", "one", "line", []int{3, 32, 32}, 7, 8}, []any{d.Name, d.Version, d.Method, d.Input,
		d.Limits.Queue, d.Limits.Batch})
}

// TestRefusals: a faulty request is answered with the right status and a message that names the fault.
func TestRefusals(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1)), MaxBytes: 1 << 16, MaxPixels: 2000, Queue: 4})
	_, small := picture(t, 8, 8, 1)
	_, large := picture(t, 50, 41, 1)
	tensor := func(shape string, data string) []byte {
		return fmt.Appendf(nil, `{"tensor": {"shape": %s, "data": %s}}`, shape, data)
	}
	zeros := "[" + strings.Repeat("0,", 3071) + "0]"
	var five bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&five, npyz.New(make([]uint8, 5*12), 5, 2, 2, 3)))
	for _, c := range []struct {
		status     int
		path, kind string
		body       []byte
		want       string
	}{
		{400, "/v1/score", "", nil, "not a JPEG, PNG, GIF, BMP or WebP"},
		{400, "/v1/score", "", []byte("hello"), "not a JPEG"},
		{400, "/v1/score", "", small[:60], "PNG"},
		{400, "/v1/score", "", large, "50x41 pixels are above the limit of 2000"},
		{413, "/v1/score", "", make([]byte, 1<<16+1), "at most 65536 bytes"},
		{413, "/v1/score", "", five.Bytes(), "at most 4 images, got 5"},
		{415, "/v1/score", "multipart/form-data; boundary=x", small, "expected the picture itself"},
		{400, "/v1/score?nurons=1", "", small, `unknown parameter "nurons"`},
		{400, "/v1/score?neurons=-1", "", small, "expected 0 to 1000"},
		{400, "/v1/score?timeout=x", "", small, "expected a duration"},
		{504, "/v1/score?timeout=1ns", "", small, "time for the request is over"},
		{400, "/v1/score", "application/json", []byte("{"), "expected JSON"},
		{400, "/v1/score", "application/json", []byte("{}"), "either picture or tensor"},
		{400, "/v1/score", "application/json", []byte(`{"image": ""}`), `unknown field "image"`},
		{400, "/v1/score", "application/json", []byte(`{"picture": "%%%"}`), "base64"},
		{400, "/v1/score", "application/json", tensor("[1, 32, 32]", zeros),
			"expected a tensor of shape [3 32 32] or a batch of them, got [1 32 32]"},
		{400, "/v1/score", "application/json", tensor("[0, 3, 32, 32]", "[]"), "got [0 3 32 32]"},
		{400, "/v1/score", "application/json", tensor("[3, 32, 32]", "[1]"),
			"expected 3072 elements in an array, got 1"},
		{400, "/v1/score", "application/json", tensor("[3, 32, 32]", zeros[:len(zeros)-1]+",0]"), "got more"},
		{400, "/v1/score", "application/json", tensor("[3, 32, 32]", `{"a": 1}`), "expected arrays of shape"},
		{400, "/v1/score", "application/json", tensor("[3, 32, 32]", strings.Replace(zeros, "0", "1e39", 1)),
			"expected a float32"},
		{400, "/v1/score", "application/json", tensor("[3, 32, 32]", strings.Replace(zeros, "0", "null", 1)),
			"number 0: expected a float32"},
		{400, "/v1/score", "application/json", append(tensor("[3, 32, 32]", zeros), "[]"...), "got more behind it"},
	} {
		require.Contains(t, s.message(t, c.status, http.MethodPost, c.path, c.kind, c.body), c.want)
	}
	require.Contains(t, s.message(t, 405, http.MethodGet, "/v1/score", "", nil), "expected POST")
	require.Contains(t, s.message(t, 405, http.MethodPost, "/metrics", "", nil), "expected GET")
	require.Contains(t, s.message(t, 404, http.MethodGet, "/v1", "", nil), "no such path")
	require.Contains(t, s.message(t, 415, http.MethodPost, "/v1/score", "", small, "Content-Encoding", "br"),
		"expected gzip, deflate or none")
	s.results(t, "/v1/score", "", small)
}

// TestScoresThatAreNoNumbers: input that drives the network out of range is answered as a fault of the client, and does
// not affect other requests in its batch.
func TestScoresThatAreNoNumbers(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1))})
	x := slices.Repeat([]float32{3e38}, 2*3072)
	for i := range x {
		if i%2 == 0 {
			x[i] = -x[i]
		}
	}
	copy(x, make([]float32, 3072))
	var npy bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&npy, npyz.New(x, 2, 3, 32, 32)))
	require.Contains(t, s.message(t, 400, http.MethodPost, "/v1/score", "", npy.Bytes()), "expected a finite number")
}
