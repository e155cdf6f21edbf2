package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

const classes = 3

// fitted returns LINe fitted to a small random network.
func fitted(t testing.TB, seed uint64) *line.Detector {
	t.Helper()
	net := nettest.DenseNetBC(t, 10, 4, classes, seed)
	prog, err := graph.Compile(net, graph.Options{Workers: 1})
	require.NoError(t, err)
	det, err := line.Fit(t.Context(), prog, nettest.Stream(nettest.Batch(30, net.InputShape(), classes, 1)),
		line.Options{})
	require.NoError(t, err)
	return det
}

// calibrated returns a detector with a calibration.
func calibrated(t testing.TB, det *line.Detector) *line.Detector {
	t.Helper()
	s, err := det.Score(t.Context(), nettest.Stream(nettest.Batch(40, det.Network().InputShape(), 0, 2)))
	require.NoError(t, err)
	det, err = det.Calibrate(s, nil, conformal.Options{Alpha: 0.1})
	require.NoError(t, err)
	return det
}

// always returns a Config.Load that returns the same detector each time.
func always(det *line.Detector) func(context.Context) (Loaded, error) {
	return func(context.Context) (Loaded, error) {
		return Loaded{Detector: det, Version: "one", Classes: []string{"cat", "dog", "frog"}}, nil
	}
}

// running is a server that listens.
type running struct {
	*Server
	http *httptest.Server
}

// start starts a server that ends with the test, and then checks that no memory, places or decoders are held.
func start(t testing.TB, c Config) running {
	t.Helper()
	if c.Name == "" {
		c.Name = "tiny"
	}
	if c.Graph.Workers == 0 {
		c.Graph.Workers = 2
	}
	s, err := New(t.Context(), c)
	require.NoError(t, err)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		h.Close()
		s.Close()
		require.Zero(t, s.room.taken.Load(), "places are held")
		require.Zero(t, s.bodies.taken.Load(), "bytes are held")
		require.Len(t, s.decoders, cap(s.decoders), "decoders are held")
	})
	return running{s, h}
}

// send sends a request and returns the status and the body of the answer.
func (r running) send(t testing.TB, method, path, contentType string, body []byte, headers ...string) (int, []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(context.Background(), method, r.http.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		q.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	a, err := r.http.Client().Do(q)
	require.NoError(t, err)
	defer a.Body.Close()
	data, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return a.StatusCode, data
}

// results returns the results of a scoring request, which must succeed.
func (r running) results(t testing.TB, path, contentType string, body []byte) []scored {
	t.Helper()
	status, data := r.send(t, http.MethodPost, path, contentType, body)
	require.Equal(t, http.StatusOK, status, "%s", data)
	var v struct{ Results []scored }
	require.NoError(t, json.Unmarshal(data, &v))
	return v.Results
}

// message returns the error message of an answer, which must have the given status.
func (r running) message(t testing.TB, status int, method, path, contentType string, body []byte,
	headers ...string) string {
	t.Helper()
	got, data := r.send(t, method, path, contentType, body, headers...)
	require.Equal(t, status, got, "%s", data)
	var v struct{ Error string }
	require.NoError(t, json.Unmarshal(data, &v), "%s", data)
	require.NotEmpty(t, v.Error)
	return v.Error
}

// picture returns a random picture and its PNG file.
func picture(t testing.TB, width, height int, seed uint64) (image.Image, []byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(rng.Uint32()), uint8(rng.Uint32()), uint8(rng.Uint32()), 255})
		}
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	return img, out.Bytes()
}

// soon waits until something happens on another goroutine.
func soon(t testing.TB, what string, happened func() bool) {
	t.Helper()
	require.Eventually(t, happened, 20*time.Second, time.Millisecond, what)
}
