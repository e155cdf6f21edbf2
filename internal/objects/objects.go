// Package objects reads and writes objects of stores such as S3 by URL, as if they were files: SCHEME://BUCKET/KEY,
// where parameters of the store, if any, follow the bucket (s3://bucket?region=eu-west-1/key). It knows no store
// itself: those of the module cloud, which has the libraries that they need, register themselves.
package objects

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Store is one bucket. Errors about what is not there wrap [fs.ErrNotExist].
type Store interface {
	// Stat describes an object.
	Stat(ctx context.Context, key string) (Info, error)
	// Read reads length bytes of an object from an offset on, -1 for all that follow. The description is that of the
	// bytes which are read.
	Read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error)
	// Create makes or replaces an object, which is there as a whole once Close has succeeded. Where ctx ends before, it
	// stays as it was.
	Create(ctx context.Context, key string) (io.WriteCloser, error)
	// List returns the next objects whose keys have a prefix, in byte order, from a continuation mark on, nil for the
	// beginning. Unless deep it returns what lies below a further slash as one folder.
	List(ctx context.Context, prefix string, deep bool, mark []byte) (Page, error)
}

// Info describes an object.
type Info struct {
	Size     int64 // in bytes
	Modified time.Time
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	Next    []byte // continuation mark, nil at the end
}

// Entry is an object, or a folder, whose key ends with a slash.
type Entry struct {
	Key    string
	Folder bool
	Info
}

// Opener opens a bucket by its URL, with its parameters, without a key.
type Opener func(ctx context.Context, bucket string) (Store, error)

// stores are those of the process. Clients of a store hold connections and credentials, so that a bucket is opened
// once, whoever reads from it.
var stores = struct {
	sync.Mutex
	openers map[string]Opener
	open    map[string]Store // by URL of the bucket
}{openers: map[string]Opener{}, open: map[string]Store{}}

// Register makes a scheme known. It is called at the start of a program, by packages of stores.
func Register(scheme string, o Opener) {
	stores.Lock()
	defer stores.Unlock()
	stores.openers[scheme] = o
}

// SchemeError tells that this program knows no store of a URL's scheme.
type SchemeError struct{ URL, Scheme string }

func (e *SchemeError) Error() string {
	switch e.Scheme {
	case "s3", "gs", "azblob", "file", "mem":
		return fmt.Sprintf("%s: this goline was built without object stores: build the one that has them, "+
			"cd cloud && go build ./cmd/goline", e.URL)
	}
	return fmt.Sprintf("%s: unknown scheme %q: expected s3, gs, azblob, file or mem", e.URL, e.Scheme)
}

// IsURL tells whether a path is the URL of an object, whatever its scheme: a word of lower-case letters and digits in
// front of ://.
func IsURL(path string) bool {
	scheme, _, ok := strings.Cut(path, "://")
	return ok && scheme != "" && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// Split cuts a URL into that of its bucket and a key, which is "" for the bucket itself.
func Split(url string) (bucket, key string) {
	scheme, rest, _ := strings.Cut(url, "://")
	bucket, key, _ = strings.Cut(rest, "/")
	if scheme == "file" && len(key) > 2 && key[1:3] == ":/" { // file:///C:/folder: the drive is the bucket
		bucket, key = "/"+key[:2], key[3:]
	}
	return scheme + "://" + bucket, key
}

// Join appends a relative path to a URL.
func Join(url, rel string) string {
	bucket, key := Split(url)
	if key = path.Join(key, rel); key == "." {
		return bucket
	}
	return bucket + "/" + strings.TrimPrefix(key, "/")
}

// Parent cuts the last part off a URL; a bucket is its own parent.
func Parent(url string) (folder, base string) {
	bucket, key := Split(url)
	folder, base = path.Split(strings.TrimSuffix(key, "/"))
	if folder = strings.TrimSuffix(folder, "/"); folder != "" {
		return bucket + "/" + folder, base
	}
	return bucket, base
}

// SameURL tells whether two URLs are those of one object.
func SameURL(a, b string) bool { return Join(a, "") == Join(b, "") }

// Local returns the path of what a URL of the scheme file leads to.
func Local(url string) (path string, ok bool) {
	bucket, key := Split(url)
	drive, ok := strings.CutPrefix(bucket, "file://")
	if !ok {
		return "", false
	}
	return filepath.Clean(filepath.FromSlash(strings.TrimPrefix(drive, "/") + "/" + key)), true
}

// Check fails for a URL whose store this program does not know, with a [SchemeError], and for one that cannot be
// opened.
func Check(url string) error {
	_, _, err := open(url)
	return err
}

// open returns the store of a URL, and the key in it.
func open(url string) (Store, string, error) {
	bucket, key := Split(url)
	if strings.Contains("/"+key, "/../") { // no store knows it, and a path means another object by it
		_, key = Split(Join(url, ""))
	}
	stores.Lock()
	defer stores.Unlock()
	if s := stores.open[bucket]; s != nil {
		return s, key, nil
	}
	scheme, _, _ := strings.Cut(url, "://")
	o := stores.openers[scheme]
	if o == nil {
		return nil, "", &SchemeError{url, scheme}
	}
	s, err := o(context.Background(), bucket)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", url, err)
	}
	stores.open[bucket] = s
	return s, key, nil
}

// blame names the URL in an error.
func blame(op, url string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: url, Err: err}
}
