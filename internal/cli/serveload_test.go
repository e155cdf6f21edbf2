package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/bench"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"

	"github.com/line-ood/goline/graph"
)

// TestServeLoad measures a second process of goline serve over the loopback interface: SPEED=1 go test -v -run
// TestServeLoad ./internal/cli. It logs the images per second and latencies for PNG pictures, compared with the
// network's own rate in the same run, and how the server answers an overload. SPEED_NET=resnet20 takes that network
// instead.
func TestServeLoad(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("a measurement: set SPEED=1")
	}
	name, file := "densenet-bc-100-12", "cifar10_densenet_bc_100_12.pth.tar"
	if os.Getenv("SPEED_NET") == "resnet20" {
		name, file = "resnet20", "cifar10_resnet20.th"
	}
	checkpoint := sharedtest.Path(t, "checkpoints", file)
	det := filepath.Join(t.TempDir(), "det.npz")
	require.Equal(t, exitDone, first(runGoline("fit", "--net", name, "--weights", checkpoint, "--data",
		sharedtest.Path(t, "data", "cifar10_train_5000.bin"), "--out", det)))
	net, err := nets.Open(name, checkpoint)
	require.NoError(t, err)
	own := func() float64 {
		r, err := bench.Run(t.Context(), net, graph.Options{}, 1024, 3, 1)
		require.NoError(t, err)
		return r.ImagesPerSec
	}
	before := own()
	url, stop := startServe(t, "--detector", det, "--listen", "127.0.0.1:0", "--queue", "64")
	steady := load(t, url, 32, 10*time.Second)
	over := load(t, url, 256, 5*time.Second)
	after := load(t, url, 32, 5*time.Second)
	stop()
	best := max(before, own())
	t.Logf("bench %.1f images/s", best)
	t.Logf("32 clients: %v, %.2f of bench", steady, steady.rate/best)
	t.Logf("256 clients, room for 64: %v", over)
	t.Logf("32 clients again: %v", after)
	require.Zero(t, steady.shed)
	require.Zero(t, after.shed)
	require.Positive(t, over.shed)
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

// loaded holds what the clients have measured.
type loaded struct {
	rate          float64 // answers per second
	p50, p99, max time.Duration
	shed          int
}

func (l loaded) String() string {
	return fmt.Sprintf("%.1f images/s, p50 %v, p99 %v, longest %v, %d refused with 429", l.rate,
		l.p50.Round(time.Millisecond), l.p99.Round(time.Millisecond), l.max.Round(time.Millisecond), l.shed)
}

// load sends pictures from the given number of clients for a time. Each client sends the next picture when it has its
// answer, or a tenth of a second after it was refused.
func load(t *testing.T, url string, clients int, d time.Duration) loaded {
	pix := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for i := range pix.Pix {
		pix.Pix[i] = uint8(i * i / 7)
	}
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, pix))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var took []time.Duration
	out := loaded{}
	var group sync.WaitGroup
	start := time.Now()
	for range clients {
		group.Go(func() {
			for time.Since(start) < d {
				began := time.Now()
				a, err := client.Post(url+"/v1/score", "image/png", bytes.NewReader(picture.Bytes()))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(a.Body)
				a.Body.Close()
				mu.Lock()
				switch a.StatusCode {
				case http.StatusOK:
					took = append(took, time.Since(began))
				case http.StatusTooManyRequests:
					out.shed++
				default:
					t.Errorf("status %s: %s", strconv.Itoa(a.StatusCode), body)
				}
				mu.Unlock()
				if a.StatusCode == http.StatusTooManyRequests {
					time.Sleep(100 * time.Millisecond)
				} else if !json.Valid(body) {
					t.Errorf("answer %q", body)
				}
			}
		})
	}
	group.Wait()
	out.rate = float64(len(took)) / time.Since(start).Seconds()
	slices.Sort(took)
	require.NotEmpty(t, took)
	out.p50, out.p99, out.max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	return out
}
