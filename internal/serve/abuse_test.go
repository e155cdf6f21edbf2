package serve

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gzipped returns n zeros, compressed by gzip.
func gzipped(t testing.TB, n int) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.CopyN(z, zeroReader{}, int64(n))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// resized returns a PNG whose header holds another size.
func resized(png []byte, width, height uint32) []byte {
	out := bytes.Clone(png)
	binary.BigEndian.PutUint32(out[16:], width)
	binary.BigEndian.PutUint32(out[20:], height)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

// TestMalformedRequests: after a thousand requests that are broken in many ways the server still works, and holds no
// memory and no goroutines for them.
func TestMalformedRequests(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1)), MaxBytes: 1 << 18, MaxPixels: 1 << 20, Timeout: 2 * time.Second})
	_, file := picture(t, 40, 36, 1)
	want := s.results(t, "/v1/score", "", file)
	const infer = "/v2/models/tiny/infer"
	bomb := gzipped(t, 64<<20)
	request := []byte(`{"id":"a","inputs":[{"name":"picture","datatype":"BYTES","shape":[1],` +
		`"data":["iVBORw0KGgo="]}],"outputs":[{"name":"score"}]}`)
	rng := rand.New(rand.NewPCG(1, 2))
	mutated := func(b []byte) []byte {
		out := bytes.Clone(b)
		for range 1 + rng.IntN(8) {
			switch at := rng.IntN(len(out)); rng.IntN(3) {
			case 0:
				out[at] = byte(rng.Uint32())
			case 1:
				out = append(out[:at], out[min(len(out)-1, at+rng.IntN(9)):]...)
			default:
				out = append(out[:at:at], append([]byte(strings.Repeat("[", rng.IntN(20))), out[at:]...)...)
			}
			if len(out) == 0 {
				return []byte("{")
			}
		}
		return out
	}
	kinds := []func(i int) (path, contentType string, body []byte, headers []string){
		func(int) (string, string, []byte, []string) { return infer, "", mutated(request), nil },
		func(int) (string, string, []byte, []string) { return "/v1/score", "", mutated(file), nil },
		func(int) (string, string, []byte, []string) {
			return "/v1/score", "application/json", mutated([]byte(`{"tensor":{"shape":[3,32,32],"data":[[[0.5]]]}}`)),
				nil
		},
		func(int) (string, string, []byte, []string) {
			return infer, "", bomb, []string{"Content-Encoding", "gzip"}
		},
		func(int) (string, string, []byte, []string) {
			return "/v1/score", "", mutated(bomb[:2000]), []string{"Content-Encoding", "gzip"}
		},
		func(i int) (string, string, []byte, []string) {
			return "/v1/score", "", resized(file, uint32(1)<<(i%31), uint32(rng.Uint32())), nil
		},
		func(i int) (string, string, []byte, []string) {
			return infer, "",
				fmt.Appendf(nil, `{"inputs":[{"name":"input","datatype":"FP32","shape":[%d,3,32,32],"data":[0]}]}`,
					i-3), nil
		},
		func(i int) (string, string, []byte, []string) {
			return infer, "", request, []string{headerLength, fmt.Sprint(rng.IntN(300) - 20)}
		},
		func(i int) (string, string, []byte, []string) {
			return "/v1/score", "application/json", []byte(`{"tensor":{"shape":[3,32,32],"data":` + strings.Repeat("[",
				1000*(i%20)) + "}}"), nil
		},
		func(i int) (string, string, []byte, []string) { return "/v1/score", "", make([]byte, 1<<19), nil },
	}
	before := runtime.NumGoroutine()
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	bodies := 0
	for i := range 1000 {
		path, contentType, body, headers := kinds[i%len(kinds)](i / len(kinds))
		slots <- struct{}{}
		bodies += len(body)
		group.Go(func() {
			defer func() { <-slots }()
			q, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.http.URL+path,
				bytes.NewReader(body))
			require.NoError(t, err)
			q.Header.Set("Content-Type", contentType)
			for k := 0; k < len(headers); k += 2 {
				q.Header.Set(headers[k], headers[k+1])
			}
			a, err := s.http.Client().Do(q)
			if err != nil { // the server may refuse a body before its end
				return
			}
			defer a.Body.Close()
			_, _ = io.Copy(io.Discard, a.Body)
			require.Less(t, a.StatusCode, 500, "%s %.100q", path, body)
		})
	}
	group.Wait()
	require.Equal(t, want, s.results(t, "/v1/score", "", file))
	require.Zero(t, s.bodies.taken.Load())
	require.Zero(t, s.room.taken.Load())
	s.http.Client().CloseIdleConnections()
	soon(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before+10 })
}

// TestSlowBodies: a client that sends a body byte by byte is answered when its time is over, and other clients are
// served meanwhile.
func TestSlowBodies(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1)), Timeout: 300 * time.Millisecond})
	_, file := picture(t, 40, 36, 1)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			c, err := net.Dial("tcp", strings.TrimPrefix(s.http.URL, "http://"))
			require.NoError(t, err)
			defer c.Close()
			fmt.Fprintf(c, "POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			answer.Body.Close()
			require.Equal(t, http.StatusRequestTimeout, answer.StatusCode)
		})
	}
	soon(t, "bodies arrive", func() bool { return s.bodies.taken.Load() > 0 })
	require.Less(t, s.bodies.taken.Load(), int64(1<<20), "memory on the word of a header")
	s.results(t, "/v1/score", "", file)
	group.Wait()
}

// TestBodiesShareABudget: a body for which there is no memory is refused as an overload, and accepted later.
func TestBodiesShareABudget(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1)), MaxBytes: 1 << 20})
	_, file := picture(t, 40, 36, 1)
	s.bodies.taken.Add(s.bodies.most - 100)
	require.Contains(t, s.message(t, 429, http.MethodPost, "/v1/score", "", file), "too many")
	s.bodies.taken.Add(100 - s.bodies.most)
	s.results(t, "/v1/score", "", file)
}

// TestPicturesThatGrow: a picture of few pixels is refused if it would have too many after its shorter side is resized.
func TestPicturesThatGrow(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1)), MaxPixels: 1 << 16})
	_, file := picture(t, 1000, 1, 1) // 32000x32 when resized
	require.Contains(t, s.message(t, 400, http.MethodPost, "/v1/score", "", file), "picture of 1000×1 pixels")
}

// TestPicturesShareMemory: a picture that needs more memory than there is for decoding is refused, and pictures sent at
// the same time are answered.
func TestPicturesShareMemory(t *testing.T) {
	_, file := picture(t, 40, 36, 1)
	s := start(t, Config{Load: always(fitted(t, 1)), MaxMemory: 40 * 36 * 8})
	large := resized(file, 1000, 1000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if status, body := s.send(t, http.MethodPost, "/v1/score", "", file); status != http.StatusOK {
				t.Errorf("%d: %s", status, body)
			}
		})
	}
	status, body := s.send(t, http.MethodPost, "/v1/score", "", large)
	wg.Wait()
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, string(body), "memory to decode it: expected at most 0 MiB for a file of")
	require.Contains(t, string(body), "got 6 MiB")
}
