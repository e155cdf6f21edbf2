package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReloadLosesNoRequest: while the detector is replaced again and again, every request is answered by one of the
// models.
func TestReloadLosesNoRequest(t *testing.T) {
	a, b := fitted(t, 1), fitted(t, 2)
	var n atomic.Int64
	s := start(t, Config{Load: func(context.Context) (Loaded, error) {
		switch i := n.Add(1); i % 3 {
		case 0:
			return Loaded{}, errors.New("no such file")
		case 1:
			return Loaded{Detector: a, Version: fmt.Sprint("a", i)}, nil
		default:
			return Loaded{Detector: b, Version: fmt.Sprint("b", i)}, nil
		}
	}})
	img, file := picture(t, 40, 36, 1)
	wantA, err := a.ScoreImage(t.Context(), img)
	require.NoError(t, err)
	wantB, err := b.ScoreImage(t.Context(), img)
	require.NoError(t, err)
	require.NotEqual(t, wantA.Score, wantB.Score)
	done := make(chan struct{})
	var group sync.WaitGroup
	var answered [2]atomic.Int64
	for range 8 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				switch got := s.results(t, "/v1/score", "", file)[0].Score; got {
				case wantA.Score:
					answered[0].Add(1)
				case wantB.Score:
					answered[1].Add(1)
				default:
					t.Errorf("score %v of neither model", got)
				}
			}
		})
	}
	for i := range 9 {
		err := s.Reload(t.Context())
		require.Equal(t, i%3 == 1, err != nil, "%v", err)
		before := answered[0].Load() + answered[1].Load()
		soon(t, "requests between reloads", func() bool { return answered[0].Load()+answered[1].Load() > before+8 })
	}
	close(done)
	group.Wait()
	require.Positive(t, answered[0].Load())
	require.Positive(t, answered[1].Load())
	require.Equal(t, "a10", s.Version())
	_, text := s.send(t, http.MethodGet, "/metrics", "", nil)
	require.Contains(t, string(text), `goline_reloads_total{result="failed"} 3`)
	require.NotContains(t, string(text), `version="b8"`, "metrics of a model that is gone")
}

// TestModelOutlivesItsRequests: a model that was replaced answers the requests that still use it, and ends after the
// last of them.
func TestModelOutlivesItsRequests(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1))})
	m, release := s.use()
	require.NoError(t, s.Reload(t.Context()))
	require.NotSame(t, m, s.model)
	time.Sleep(50 * time.Millisecond) // enough time to end if it did not wait
	answers, err := s.answer(t.Context(), m, input{tensors: [][]float32{make([]float32, m.size)}}, 0)
	require.NoError(t, err)
	require.Len(t, answers, 1)
	release()
	s.retired.Wait()
	_, open := <-m.queue
	require.False(t, open)
}

// TestDrain: a server that is told to end reports itself as not ready, answers running requests, and then ends.
func TestDrain(t *testing.T) {
	s, err := New(t.Context(), Config{Name: "tiny", Load: always(fitted(t, 1))})
	require.NoError(t, err)
	gate := make(chan struct{})
	compute := s.model.engine.compute
	s.model.engine.compute = func(ctx context.Context, batch []job) ([]Answer, error) {
		<-gate
		return compute(ctx, batch)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l, RunOptions{Drain: time.Minute, Notice: 200 * time.Millisecond}) }()
	base := "http://" + l.Addr().String()
	_, file := picture(t, 40, 36, 1)
	answers := make(chan int, 3)
	for range 3 {
		go func() {
			a, err := http.Post(base+"/v1/score", "", strings.NewReader(string(file)))
			if err != nil {
				answers <- -1
				return
			}
			a.Body.Close()
			answers <- a.StatusCode
		}()
	}
	soon(t, "requests run", func() bool { return s.room.taken.Load() == 3 })
	cancel()
	soon(t, "it calls itself not ready", func() bool {
		a, err := http.Get(base + "/readyz")
		if err != nil {
			return false
		}
		a.Body.Close()
		return a.StatusCode == http.StatusServiceUnavailable
	})
	select {
	case err := <-ended:
		t.Fatalf("it ended before its requests: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	close(gate)
	for range 3 {
		require.Equal(t, http.StatusOK, <-answers)
	}
	require.NoError(t, <-ended)
	_, err = http.Get(base + "/readyz")
	require.Error(t, err)
}

// TestDrainEnds: requests that do not finish in time are cut off, and the error of Run says so.
func TestDrainEnds(t *testing.T) {
	s, err := New(t.Context(), Config{Name: "tiny", Load: always(fitted(t, 1))})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l, RunOptions{Drain: 50 * time.Millisecond}) }()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
	soon(t, "the body arrives", func() bool { return s.bodies.taken.Load() > 0 })
	cancel()
	require.ErrorContains(t, <-ended, "cut off")
}

// TestToken: without the token only health and the page are answered.
func TestToken(t *testing.T) {
	token := "s3cret"
	s := start(t, Config{Load: always(fitted(t, 1)), Token: func() string { return token }})
	_, file := picture(t, 40, 36, 1)
	for _, path := range []string{"/v1/model", "/metrics", "/v2", "/v2/models/tiny", "/v2/models/tiny/ready"} {
		s.message(t, 401, http.MethodGet, path, "", nil)
		status, _ := s.send(t, http.MethodGet, path, "", nil, "Authorization", "bearer s3cret")
		require.Equal(t, http.StatusOK, status, path)
	}
	for _, header := range []string{"", "s3cret", "Bearer", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret"} {
		s.message(t, 401, http.MethodPost, "/v1/score", "", file, "Authorization", header)
		s.message(t, 401, http.MethodPost, "/v2/models/tiny/infer", "", file, "Authorization", header)
	}
	for _, path := range []string{"/", "/page.css", "/page.js", "/healthz", "/readyz", "/v2/health/live",
		"/v2/health/ready"} {
		status, _ := s.send(t, http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, status, path)
	}
	status, _ := s.send(t, http.MethodPost, "/v1/score", "", file, "Authorization", "Bearer s3cret")
	require.Equal(t, http.StatusOK, status)
}

// TestPageAsksNobodyElse: the page's policy allows requests to its own server only, and its files name no other server.
func TestPageAsksNobodyElse(t *testing.T) {
	s := start(t, Config{Load: always(fitted(t, 1))})
	for _, path := range []string{"/", "/page.css", "/page.js"} {
		status, body := s.send(t, http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, status)
		require.NotEmpty(t, body)
		require.NotRegexp(t, `(src|href)="(https?:)?//|url\(|@import|fetch\("http`, string(body))
	}
}

// certificate writes a new self-signed certificate and its key.
func certificate(t testing.TB, dir string) (cert, key string, der []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err = x509.CreateCertificate(crand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	return cert, key, der
}

// TestSecrets: token and certificate are read from files. A reload takes new ones, and keeps the old ones where a file
// is bad.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certificate(t, dir)
	token := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte("one\n"), 0o600))
	secrets, err := ReadSecrets(token, cert, key)
	require.NoError(t, err)
	s, err := New(t.Context(), Config{Name: "tiny", Load: always(fitted(t, 1)), Token: secrets.Token})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l, RunOptions{TLS: secrets.TLS(), Drain: time.Second}) }()
	presented := func() []byte {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Raw
	}
	require.Equal(t, first, presented())
	require.Equal(t, "one", secrets.Token())
	_, _, second := certificate(t, dir)
	require.NoError(t, os.WriteFile(token, []byte("two"), 0o600))
	require.Equal(t, first, presented())
	require.NoError(t, secrets.Reload())
	require.Equal(t, second, presented())
	require.Equal(t, "two", secrets.Token())
	for _, bad := range []string{"", " \n", "two words"} {
		require.NoError(t, os.WriteFile(token, []byte(bad), 0o600))
		require.ErrorContains(t, secrets.Reload(), "expected one word")
	}
	require.Equal(t, "two", secrets.Token())
	_, err = ReadSecrets("", cert, "")
	require.ErrorContains(t, err, "expected a certificate and its key")
	_, err = ReadSecrets("", cert, token)
	require.ErrorContains(t, err, cert)
	cancel()
	require.NoError(t, <-ended)
}

// TestConfigRefuses: a faulty configuration is refused before anything is loaded.
func TestConfigRefuses(t *testing.T) {
	load := always(nil)
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Name: "a"}, "expected a function"},
		{Config{Name: "", Load: load}, `name ""`},
		{Config{Name: "a/b", Load: load}, `name "a/b"`},
		{Config{Name: "a", Load: load, Queue: -1}, "queue -1"},
		{Config{Name: "a", Load: load, Timeout: -1}, "timeout -1"},
	} {
		_, err := New(t.Context(), c.config)
		require.ErrorContains(t, err, c.want)
	}
	_, err := New(t.Context(), Config{Name: "a", Load: func(context.Context) (Loaded, error) {
		return Loaded{Detector: fitted(t, 1), Version: "v", Classes: []string{"one"}}, nil
	}})
	require.ErrorContains(t, err, "expected names of 3 classes, got 1")
}
