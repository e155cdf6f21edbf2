package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	"github.com/line-ood/goline/internal/objects"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// network opens the network. Paths are those of the worker's disk, addresses are opened by Beam's file systems.
func (o Options) network(ctx context.Context) (nets.Classifier, error) {
	var p nets.Preprocessing
	var err error
	if o.Preprocess != "" {
		if p, err = preprocessing(ctx, o.Preprocess); err != nil {
			return nil, fmt.Errorf("preprocess: %w", err)
		}
	}
	if isONNX(o.Network) {
		return openONNX(ctx, o.Network, onnx.Options{Preprocessing: p})
	}
	var net *nets.Network
	if objects.IsURL(o.Weights) {
		net, err = nets.OpenFS(addresses{ctx}, o.Network, o.Weights)
	} else {
		net, err = nets.Open(o.Network, o.Weights)
	}
	if err != nil || p == (nets.Preprocessing{}) {
		return net, err
	}
	return net.WithPreprocessing(p)
}

// preprocessing returns the preprocessing that a preset, a JSON file or the address of one says.
func preprocessing(ctx context.Context, name string) (p nets.Preprocessing, err error) {
	if !objects.IsURL(name) {
		return nets.ParsePreprocessing(name)
	}
	data, err := read(ctx, name)
	if err != nil {
		return p, err
	}
	if err := p.UnmarshalJSON(data); err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// openONNX opens a network's file, and the files beside it that it refers to.
func openONNX(ctx context.Context, name string, o onnx.Options) (nets.Classifier, error) {
	if !objects.IsURL(name) {
		return onnx.Open(name, o)
	}
	data, err := read(ctx, name)
	if err != nil {
		return nil, err
	}
	return onnx.Read(data, below{addresses{ctx}, parent(name)}, path.Base(name), o)
}

// addresses are the files of Beam's file systems, by their addresses. A file is held in memory while it is open.
type addresses struct{ ctx context.Context }

// Open reads a file.
func (a addresses) Open(name string) (fs.File, error) {
	data, err := read(a.ctx, name)
	if err != nil {
		return nil, err
	}
	return &heldFile{bytes.NewReader(data), heldInfo{path.Base(name), int64(len(data))}}, nil
}

// Stat returns the size of a file, without reading it.
func (a addresses) Stat(name string) (fs.FileInfo, error) {
	f, err := filesystem.New(a.ctx, name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size(a.ctx, name)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return heldInfo{path.Base(name), size}, nil
}

// below are the files below a folder of addresses.
type below struct {
	addresses
	folder string
}

func (b below) Open(name string) (fs.File, error)     { return b.addresses.Open(join(b.folder, name)) }
func (b below) Stat(name string) (fs.FileInfo, error) { return b.addresses.Stat(join(b.folder, name)) }

// heldFile is a file in memory. Its reader reads at any offset, and by several goroutines at a time.
type heldFile struct {
	*bytes.Reader
	info heldInfo
}

func (f *heldFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *heldFile) Close() error               { return nil }

// heldInfo is what is known of a file.
type heldInfo struct {
	name string
	size int64
}

func (i heldInfo) Name() string       { return i.name }
func (i heldInfo) Size() int64        { return i.size }
func (i heldInfo) Mode() fs.FileMode  { return 0o444 }
func (i heldInfo) ModTime() time.Time { return time.Time{} }
func (i heldInfo) IsDir() bool        { return false }
func (i heldInfo) Sys() any           { return nil }

var _ io.ReaderAt = (*heldFile)(nil)
