package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Write makes or replaces the object at a URL with what write puts into its writer. The object is there as a whole or
// stays as it was: where write fails or panics, the upload is given up.
func Write(url string, write func(io.Writer) error) error {
	s, key, err := open(url)
	if err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("write %s: %w", url, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := s.Create(ctx, key)
	if err != nil {
		return fmt.Errorf("write %s: %w", url, err)
	}
	done := false
	defer func() {
		if !done { // also on a panic of write
			cancel()
			_ = w.Close()
		}
	}()
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", url, err)
	}
	done = true
	if err := w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", url, err)
	}
	return nil
}

// checkKey fails for what cannot be the key of an object.
func checkKey(key string) error {
	if key == "" || strings.HasSuffix(key, "/") {
		return errors.New("expected the URL of an object, got that of a folder")
	}
	return nil
}

// CheckWrite fails, before any work, for a URL that cannot be written to as far as can be seen: of an unknown scheme, a
// folder, or a bucket that does not answer.
func CheckWrite(url string) error {
	s, key, err := open(url)
	if err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	if _, err := s.Stat(context.Background(), key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
