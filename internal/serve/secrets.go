package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/line-ood/goline/internal/fsfile"
)

// Secrets holds what a server reads from private files: a bearer token, a certificate and its key.
type Secrets struct {
	tokenFile, certFile, keyFile string
	token                        atomic.Pointer[string]
	cert                         atomic.Pointer[tls.Certificate]
}

// ReadSecrets reads the files; "" stands for none. Certificate and key, in PEM format, must be given together.
func ReadSecrets(tokenFile, certFile, keyFile string) (*Secrets, error) {
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("serve: expected a certificate and its key, got one of them")
	}
	s := &Secrets{tokenFile: tokenFile, certFile: certFile, keyFile: keyFile}
	return s, s.Reload()
}

// Reload reads the files again. If there is an error, the old values stay.
func (s *Secrets) Reload() error {
	token := ""
	if s.tokenFile != "" {
		data, err := fsfile.ReadRegular(s.tokenFile)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		if token = strings.TrimSpace(string(data)); token == "" || strings.ContainsAny(token, " \t\r\n") {
			return fmt.Errorf("token %s: expected one word, got %d", s.tokenFile, len(strings.Fields(token)))
		}
	}
	if s.certFile != "" {
		cert, err := keyPair(s.certFile, s.keyFile)
		if err != nil {
			return fmt.Errorf("certificate %s, key %s: %w", s.certFile, s.keyFile, err)
		}
		s.cert.Store(&cert)
	}
	s.token.Store(&token)
	return nil
}

// keyPair reads a certificate and its key. Neither file may be a pipe, because reading it may never end.
func keyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := fsfile.ReadRegular(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := fsfile.ReadRegular(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// Token returns the token, "" for none.
func (s *Secrets) Token() string { return *s.token.Load() }

// TLS returns the configuration for the server's side of TLS, nil without a certificate. After Reload it uses the new
// certificate.
func (s *Secrets) TLS() *tls.Config {
	if s.certFile == "" {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate,
		error) {
		return s.cert.Load(), nil
	}}
}
