// Package blobs makes the stores of the Go Cloud Development Kit known to goline: s3://, gs://, azblob://, file:// and
// mem://. Credentials are those that a provider's own client finds by default: variables of the environment, files of
// its command line, the machine's role.
//
// A bucket's URL is that of gocloud.dev/blob, with its parameters.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/gcsblob" // gs://
	"gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcerrors"

	"github.com/line-ood/goline/internal/objects"
)

// pageSize is how many objects of a list are asked for at once; stores give no more.
const pageSize = 1000

func init() {
	objects.Register("file", openFiles)
	objects.Register("mem", func(context.Context, string) (objects.Store, error) {
		return New(memblob.OpenBucket(nil)), nil
	})
	for _, scheme := range []string{"s3", "gs", "azblob"} {
		objects.Register(scheme, func(ctx context.Context, bucket string) (objects.Store, error) {
			b, err := blob.OpenBucket(ctx, bucket)
			if err != nil {
				return nil, err
			}
			return New(b), nil
		})
	}
}

// openFiles opens the machine's files, whose keys are their absolute paths.
func openFiles(_ context.Context, bucket string) (objects.Store, error) {
	root, ok := strings.CutPrefix(bucket, "file://")
	if root = strings.TrimPrefix(root, "/") + string(filepath.Separator); !ok || filepath.VolumeName(root)+
		string(filepath.Separator) != root { // on Windows a drive
		return nil, fmt.Errorf("expected file:///PATH, without a host or parameters, got %s", bucket)
	}
	b, err := fileblob.OpenBucket(root, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, err
	}
	return New(b), nil
}

// New returns a bucket as a store.
func New(b *blob.Bucket) objects.Store { return store{b} }

type store struct{ bucket *blob.Bucket }

func (s store) Stat(ctx context.Context, key string) (objects.Info, error) {
	a, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return objects.Info{}, cause(err)
	}
	return objects.Info{Size: a.Size, Modified: a.ModTime}, nil
}

func (s store) Read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objects.Info, error) {
	r, err := s.bucket.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, objects.Info{}, cause(err)
	}
	return r, objects.Info{Size: r.Size(), Modified: r.ModTime()}, nil
}

func (s store) Create(ctx context.Context, key string) (io.WriteCloser, error) {
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return nil, cause(err)
	}
	return w, nil
}

func (s store) List(ctx context.Context, prefix string, deep bool, mark []byte) (objects.Page, error) {
	o := &blob.ListOptions{Prefix: prefix, Delimiter: "/"}
	if deep {
		o.Delimiter = ""
	}
	if mark == nil {
		mark = blob.FirstPageToken
	}
	found, next, err := s.bucket.ListPage(ctx, mark, pageSize, o)
	if err != nil {
		return objects.Page{}, cause(err)
	}
	page := objects.Page{Entries: make([]objects.Entry, len(found))}
	for i, o := range found {
		page.Entries[i] = objects.Entry{Key: o.Key, Folder: o.IsDir,
			Info: objects.Info{Size: o.Size, Modified: o.ModTime}}
	}
	if len(next) > 0 {
		page.Next = next
	}
	return page, nil
}

// failure is an error of a store that says what kind it is.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func (f failure) Is(target error) bool {
	switch gcerrors.Code(f.error) {
	case gcerrors.NotFound:
		return target == fs.ErrNotExist
	case gcerrors.PermissionDenied:
		return target == fs.ErrPermission
	}
	return false
}

// cause wraps an error of a bucket.
func cause(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return failure{err}
}
