package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServe: a process of goline serve scores a picture as goline score does, reads its files again on SIGHUP, and ends
// with status 0 on SIGTERM.
func TestServe(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("no signals between processes here")
	}
	w := newWorld(t)
	det := w.fit(t)
	must(t, "score", "--detector", det, "--data", w.path("pictures/a.png"), "--out", w.path("s.csv"))
	want := strings.Split(strings.Split(contents(t, w.path("s.csv")), "\n")[1], ",")

	cmd := exec.CommandContext(t.Context(), os.Args[0], "serve", "--detector", det, "--listen", "127.0.0.1:0",
		"--log-format", "json")
	cmd.Env = append(os.Environ(), asGoline+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	first, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "%s", &stderr)
	found := regexp.MustCompile(`: det ([0-9a-f]{12}) at (http://127\.0\.0\.1:\d+)\n$`).FindStringSubmatch(first)
	require.NotNil(t, found, first)
	version, url := found[1], found[2]

	score := func() (score float64, version string) {
		a, err := http.Post(url+"/v1/score", "", strings.NewReader(contents(t, w.path("pictures/a.png"))))
		require.NoError(t, err)
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.StatusCode, "%s", body)
		var v struct {
			Version string
			Results []struct{ Score float64 }
		}
		require.NoError(t, json.Unmarshal(body, &v))
		return v.Results[0].Score, v.Version
	}
	got, v := score()
	require.Equal(t, want[1], strconv.FormatFloat(got, 'g', -1, 64))
	require.Equal(t, version, v)

	other := w.fit(t, "--clip", "0.1")
	require.NoError(t, os.Rename(other, det))
	require.NoError(t, cmd.Process.Signal(syscall.Signal(1))) // SIGHUP, which package syscall may not name
	require.Eventually(t, func() bool { _, now := score(); return now != version }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(det, []byte("no detector"), 0o666))
	require.NoError(t, cmd.Process.Signal(syscall.Signal(1)))
	_, now := score()
	require.NotEqual(t, version, now)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "%s", &stderr)
	for line := range strings.Lines(stderr.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	require.Contains(t, stderr.String(), `"msg":"reloaded"`)
	require.Contains(t, stderr.String(), `"msg":"ended"`)
}

// TestServeUsage: errors in the flags are reported before anything is read.
func TestServeUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "--detector is required"},
		{[]string{"--detector", "d", "--queue", "0"}, "--queue 0: expected at least 1"},
		{[]string{"--detector", "d", "--timeout", "0s"}, "--timeout 0s: expected at least 1ms"},
		{[]string{"--detector", "d", "--max-delay", "-1s"}, "--max-delay -1s"},
		{[]string{"--detector", "d", "--listen", "8080"}, `--listen "8080": expected host:port`},
		{[]string{"--detector", "d", "--tls-cert", "c"}, "--tls-cert and --tls-key go together"},
		{[]string{"--detector", "d", "--log-format", "xml"}, "expected text or json"},
		{[]string{"--detector", "d", "--log-level", "loud"}, "expected debug, info, warn or error"},
	} {
		code, _, stderr := runGoline(append([]string{"serve"}, c.args...)...)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, c.want)
	}
	require.Contains(t, fails(t, "serve", "--detector", filepath.Join(t.TempDir(), "none.npz")), "none.npz")
}
