package blobs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/line-ood/goline/cloud/blobs"
	"github.com/line-ood/goline/internal/objects"
)

// buckets are empty folders of stores, by scheme.
func buckets(t *testing.T) map[string]string {
	_, s3 := startS3(t)
	return map[string]string{
		"file": "file://" + filepath.ToSlash(t.TempDir()),
		"mem":  "mem://" + strings.ToLower(t.Name()),
		"s3":   s3 + "/folder",
		"gs":   startGCS(t) + "/folder",
		"az":   startAzure(t) + "/folder",
	}
}

// TestStores: each store writes, reads and lists, and errors name the URL.
func TestStores(t *testing.T) {
	for scheme, url := range buckets(t) {
		t.Run(scheme, func(t *testing.T) {
			data := make([]byte, 17<<20) // more than one part of an upload
			for i := range data {
				data[i] = byte(rand.Uint32())
			}
			put := func(key string, data []byte) {
				require.NoError(t, objects.Write(url+"/"+key, func(w io.Writer) error {
					_, err := w.Write(data)
					return err
				}), key)
			}
			put("large", data)
			for _, key := range []string{"a/1.png", "a/2.png", "b/1 +&%.png", "b/ü.png", "c.txt"} {
				put(key, []byte(key))
			}
			f, err := objects.Open(url + "/large")
			require.NoError(t, err)
			got, err := io.ReadAll(f)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			p := make([]byte, 100)
			_, err = f.ReadAt(p, 10<<20)
			require.NoError(t, err)
			require.Equal(t, data[10<<20:][:100], p)
			require.NoError(t, f.Close())

			for _, key := range []string{"b/1 +&%.png", "b/ü.png"} {
				f, err := objects.Open(url + "/" + key)
				require.NoError(t, err)
				got, err := io.ReadAll(f)
				require.NoError(t, err)
				require.Equal(t, key, string(got))
			}
			entries, err := objects.ReadDir(url)
			require.NoError(t, err)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			require.Equal(t, []string{"a", "b", "c.txt", "large"}, names)
			found, err := objects.Glob(url + "/*/1*.png")
			require.NoError(t, err)
			require.Equal(t, []string{url + "/a/1.png", url + "/b/1 +&%.png"}, found)
			all := []string{}
			require.NoError(t, objects.List(t.Context(), url, nil, func(entries []objects.Entry, _ []byte) error {
				for _, e := range entries {
					all = append(all, e.Key)
				}
				return nil
			}))
			require.Equal(t, []string{"a/1.png", "a/2.png", "b/1 +&%.png", "b/ü.png", "c.txt", "large"}, all)

			_, err = objects.Open(url + "/none")
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.ErrorContains(t, err, url+"/none")
		})
	}
}

// TestUploadsAreWhole: where writing fails after much of an object is on its way, the object stays as it was, or is not
// there, and nothing is left of the upload.
func TestUploadsAreWhole(t *testing.T) {
	s3, _ := startS3(t)
	_ = s3
	for scheme, url := range buckets(t) {
		t.Run(scheme, func(t *testing.T) {
			failed := errors.New("failed in the middle")
			half := func(w io.Writer) error {
				for range 18 {
					if _, err := w.Write(make([]byte, 1<<20)); err != nil {
						return err
					}
				}
				return failed
			}
			require.ErrorIs(t, objects.Write(url+"/new", half), failed)
			_, err := objects.Stat(url + "/new")
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.NoError(t, objects.Write(url+"/old", func(w io.Writer) error {
				_, err := w.Write([]byte("before"))
				return err
			}))
			require.ErrorIs(t, objects.Write(url+"/old", half), failed)
			f, err := objects.Open(url + "/old")
			require.NoError(t, err)
			got, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, "before", string(got))
			if path, ok := objects.Local(url); ok {
				left, err := os.ReadDir(path)
				require.NoError(t, err)
				require.Len(t, left, 1)
			}
		})
	}
}

// TestRefused: without the right credentials the error says so.
func TestRefused(t *testing.T) {
	_, url := startS3(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "other")
	_, err := objects.Open(url + "/folder/a")
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, url+"/folder/a")
	_, err = objects.Open("file://host/a")
	require.ErrorContains(t, err, "expected file:///PATH")
}
