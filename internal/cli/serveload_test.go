package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/bench"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
)

// TestServeLoad measures a second process of goline serve on loopback: SPEED=1 go test -v -run TestServeLoad
// ./internal/cli. It tells images a second and latencies against the network's own rate, the two in turn, and what an
// overload gets. SPEED_NET=resnet20 takes the other network. Requests of several images must have four fifths of that
// rate in the best round; what disturbs the machine only lowers it.
//
// This process is the client: each of its connections writes the same bytes again when it has its answer. Requests are
// a PNG file to /v1/score, or 16 or 32 images of 8-bit pixels as a binary tensor of the Open Inference protocol.
func TestServeLoad(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("a measurement: set SPEED=1")
	}
	name, file, images := "densenet-bc-100-12", "cifar10_densenet_bc_100_12.pth.tar", 1024
	if os.Getenv("SPEED_NET") == "resnet20" {
		name, file, images = "resnet20", "cifar10_resnet20.th", 4096
	}
	checkpoint := sharedtest.Path(t, "checkpoints", file)
	det := filepath.Join(t.TempDir(), "det.npz")
	some := filepath.Join(t.TempDir(), "some.bin")
	records := contents(t, sharedtest.Path(t, "data", "cifar10_train_5000.bin"))[:500*3073]
	require.NoError(t, os.WriteFile(some, []byte(records), 0o666))
	require.Equal(t, exitDone, first(runGoline("fit", "--net", name, "--weights", checkpoint, "--data", some, "--out",
		det)))
	own, err := nets.Open(name, checkpoint)
	require.NoError(t, err)
	url, stop := startServe(t, "--detector", det, "--listen", "127.0.0.1:0")
	kinds := []struct {
		what    string
		clients int
		request []byte
		images  int
	}{
		{"1 PNG", 64, pngRequest(t), 1}, {"16 of pixels", 8, pixelsRequest(16), 16},
		{"32 of pixels", 6, pixelsRequest(32), 32},
	}
	best := map[string]float64{} // share of the bench
	for range 3 {
		r, err := bench.Run(t.Context(), own, graph.Options{}, images, 1, 1)
		require.NoError(t, err)
		t.Logf("bench %.0f images/s", r.ImagesPerSec)
		for _, k := range kinds {
			got := load(t, url, k.request, k.images, k.clients, 4*time.Second)
			require.Zero(t, got.shed)
			share := got.rate / r.ImagesPerSec
			best[k.what] = max(best[k.what], share)
			t.Logf("%2d clients, %-12s a request: %v, %.2f of bench", k.clients, k.what, got, share)
		}
	}
	for _, k := range kinds {
		if k.images > 1 {
			require.GreaterOrEqual(t, best[k.what], 0.8, k.what)
		}
	}
	over := load(t, url, kinds[0].request, 1, 512, 4*time.Second)
	t.Logf("512 clients, room for 256: %v", over)
	require.Positive(t, over.shed)
	after := load(t, url, kinds[0].request, 1, 64, 2*time.Second)
	t.Logf("64 clients again: %v", after)
	require.Zero(t, after.shed)
	t.Log(batchSizes(t, url))
	stop()
}

// batchSizes tells how many images ran together.
func batchSizes(t *testing.T, url string) string {
	a, err := http.Get(url + "/metrics")
	require.NoError(t, err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return strings.Join(regexp.MustCompile(`(?m)^goline_batch_images.*$`).FindAllString(string(text), -1), "\n")
}

func first(code int, _, _ string) int { return code }

// startServe starts goline serve as a process.
func startServe(t *testing.T, args ...string) (url string, stop func()) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"serve", "--log-level", "error"}, args...)...)
	cmd.Env = append(os.Environ(), asGoline+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return regexp.MustCompile(`http://\S+`).FindString(line), func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	}
}

// post is the bytes of a request.
func post(path, header string, body []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: goline\r\n%sContent-Length: %d\r\n\r\n", path, header,
		len(body)), body...)
}

// pngRequest asks for the score of a picture of 32×32.
func pngRequest(t *testing.T) []byte {
	pix := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for i := range pix.Pix {
		pix.Pix[i] = uint8(i * i / 7)
	}
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, pix))
	return post("/v1/score", "Content-Type: image/png\r\n", picture.Bytes())
}

// pixelsRequest asks for the scores of n pictures of 32×32.
func pixelsRequest(n int) []byte {
	pix := make([]byte, n*32*32*3)
	for i := range pix {
		pix[i] = uint8(i * i / 7)
	}
	head := fmt.Sprintf(`{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[%d,32,32,3],`+
		`"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, n, len(pix))
	return post("/v2/models/det/infer", fmt.Sprintf("Inference-Header-Content-Length: %d\r\n", len(head)),
		append([]byte(head), pix...))
}

// readAnswer reads an answer of known length, with as little work as will do: a client takes its time from the server.
func readAnswer(in *bufio.Reader) (status int, err error) {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		text := strings.TrimSpace(string(line))
		switch name, value, _ := strings.Cut(text, ":"); {
		case text == "":
			_, err := in.Discard(length)
			return status, err
		case status == 0:
			if status, err = strconv.Atoi(text[min(9, len(text)):min(12, len(text))]); err != nil { // HTTP/1.1 200 OK
				return 0, fmt.Errorf("%q: %w", text, err)
			}
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, err
			}
		}
	}
}

// loaded is what clients saw.
type loaded struct {
	rate          float64 // images a second that were answered
	p50, p99, max time.Duration
	shed          int
}

func (l loaded) String() string {
	return fmt.Sprintf("%.0f images/s, p50 %v, p99 %v, longest %v, %d refused with 429", l.rate,
		l.p50.Round(time.Millisecond), l.p99.Round(time.Millisecond), l.max.Round(time.Millisecond), l.shed)
}

// load sends a request of so many images from so many clients, each the next when it has its answer, or a tenth of a
// second after a refusal.
func load(t *testing.T, url string, request []byte, images, clients int, d time.Duration) loaded {
	var mu sync.Mutex
	var took []time.Duration
	out := loaded{}
	client := func(until time.Time) error {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			return err
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for time.Now().Before(until) {
			began := time.Now()
			if _, err := conn.Write(request); err != nil {
				return err
			}
			status, err := readAnswer(in)
			if err != nil {
				return err
			}
			mu.Lock()
			switch status {
			case http.StatusOK:
				took = append(took, time.Since(began))
			case http.StatusTooManyRequests:
				out.shed++
			default:
				err = fmt.Errorf("status %d", status)
			}
			mu.Unlock()
			if err != nil {
				return err
			}
			if status == http.StatusTooManyRequests {
				time.Sleep(100 * time.Millisecond)
			}
		}
		return nil
	}
	var group sync.WaitGroup
	start := time.Now()
	for range clients {
		group.Go(func() {
			if err := client(start.Add(d)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	out.rate = float64(images*len(took)) / time.Since(start).Seconds()
	slices.Sort(took)
	require.NotEmpty(t, took)
	out.p50, out.p99, out.max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	return out
}
