package dataset

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// Open opens a DATA argument, "[format:]path". The package comment lists the formats.
//
// A folder that contains folders is a labelled set with one class for each folder, in which pictures may be at any
// depth. A folder without folders is a flat, unlabelled set. Pictures are recognised by their content. Hidden files
// and folders are ignored, and so are the usual side files: *.txt, *.csv, *.json, *.md, Thumbs.db. Any other file
// that is not a picture is an error, as is a class folder without a picture, or a folder with both classes and
// pictures outside of them. Symbolic links are followed. Within a class, a folder to which several links lead, or
// that contains itself, is read once.
//
// Everything that can be checked without decoding pictures is checked here: sizes, ranges of labels, counts. Sets
// joined by a pattern must have the same classes.
func Open(spec string) (Dataset, error) { return OpenWith(spec, OpenOptions{}) }

// OpenOptions says how to open data. The zero value is for [Open].
type OpenOptions struct {
	// FS holds the files, as for [OpenFS]; nil stands for the files of the operating system.
	FS fs.FS
	// Classes are the classes of the network that the data are for. Labels are then indices of these classes; see
	// [Relabel]. A folder of classes need not have all of them. Without Classes the labels are those of the data;
	// class folders are numbered in order.
	Classes []Class
}

// OpenWith opens a DATA argument with options.
func OpenWith(spec string, o OpenOptions) (Dataset, error) {
	return OpenContext(context.Background(), spec, o)
}

// OpenContext is OpenWith that returns ctx's error when ctx ends, for example while it looks through large folders.
func OpenContext(ctx context.Context, spec string, o OpenOptions) (Dataset, error) {
	t := disk()
	if o.FS != nil {
		t = tree{FS: o.FS}
	}
	t.ctx = ctx
	d, err := t.open(spec, o.Classes)
	if err != nil {
		return nil, fmt.Errorf("open data %q: %w", spec, err)
	}
	return d, nil
}

// OpenFS is [Open] for files in fsys, for example embedded files, a zip archive, or one folder of the disk. Paths in
// the argument are valid by [fs.ValidPath]: they have slashes and are relative to the root ".". Patterns are those of
// [path.Match].
//
// Several goroutines may read from fsys at a time. A file without random access, that is without [io.ReaderAt], is
// read into memory. Links are followed where fsys follows them. A tree with folders that contain themselves is an
// error, unless [os.SameFile] recognises these folders.
func OpenFS(fsys fs.FS, spec string) (Dataset, error) { return OpenWith(spec, OpenOptions{FS: fsys}) }

func (t tree) open(spec string, classes []Class) (Dataset, error) {
	path, sources, err := t.resolve(spec)
	if err != nil {
		return nil, err
	}
	t.labelSources(sources, path)
	parts := make([]Dataset, 0, len(sources))
	for _, s := range sources {
		d, err := openLabelled(s, classes)
		if err != nil {
			closeAll(parts)
			return nil, err
		}
		parts = append(parts, d)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	joined, err := concat(path, parts)
	if err != nil {
		closeAll(parts)
		return nil, err
	}
	return joined, nil
}

func closeAll(parts []Dataset) {
	for _, d := range parts {
		d.Close()
	}
}

// openLabelled opens one file, folder or pair, with labels that are indices of the given classes, if there are any.
func openLabelled(s source, classes []Class) (Dataset, error) {
	d, err := openSource(s)
	if err != nil || classes == nil {
		return d, err
	}
	r, err := Relabel(d, classes)
	if err != nil {
		d.Close()
	}
	return r, err
}

// openSource opens one file, folder or pair.
func openSource(s source) (Dataset, error) {
	format := s.format
	if format == "" {
		var err error
		if format, err = s.tree.detect(s.path); err != nil {
			return nil, err
		}
	}
	switch format {
	case "cifar10":
		return cifar10.open(s)
	case "cifar100":
		return cifar100.open(s)
	case "folder":
		p, err := openFolder(s)
		if err != nil {
			return nil, err
		}
		return p, nil
	case "idx":
		return openIdx(s)
	case "list":
		p, err := openList(s)
		if err != nil {
			return nil, err
		}
		return p, nil
	case "npy":
		return openNpy(s)
	case "npz":
		return openNpz(s)
	case "tar":
		return openTar(s)
	}
	panic("dataset: a format without a reader: " + format)
}

// detect returns the format of a file or folder by its content.
func (t tree) detect(path string) (string, error) {
	info, err := t.stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "folder", nil
	}
	f, size, err := t.openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, tarBlock)
	n, err := io.ReadFull(io.NewSectionReader(f, 0, size), head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	head = head[:n]
	switch {
	case strings.HasPrefix(string(head), "\x93NUMPY"):
		return "npy", nil
	case strings.HasPrefix(string(head), "PK\x03\x04"), strings.HasPrefix(string(head), "PK\x05\x06"):
		return "npz", nil
	case picture.Sniff(head[:min(n, picture.SniffLen)]) != picture.Unknown:
		return "folder", nil
	case isTar(head):
		return "tar", nil
	}
	switch unpacked := gzipHead(f); {
	case isIdx(unpacked):
		return "idx", nil
	case isTar(unpacked):
		return "", fmt.Errorf("%s: %w", path, errGzipTar)
	}
	var fits []string
	if isIdx(head) {
		if shape, header, err := idxHeader(io.NewSectionReader(f, 0, size)); err == nil {
			if want, err := idxSize(shape); err == nil && header+want == size {
				fits = append(fits, "idx")
			}
		}
	}
	for _, k := range []cifarKind{cifar10, cifar100} {
		if k.matches(f, size) {
			fits = append(fits, k.format)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		if hasListName(path) {
			return "list", nil
		}
		// tar archives of the oldest kind have no mark that could be recognised
		if _, err := tar.NewReader(io.NewSectionReader(f, 0, size)).Next(); err == nil {
			return "tar", nil
		}
		return "",
			fmt.Errorf("%s (%d bytes): %w: expected one of %s; name it in front if it is one, as in cifar10:%s",
				path, size, ErrFormat, strings.Join(formats, ", "), path)
	}
	return "", fmt.Errorf("%s (%d bytes): %w: it can be %s; name it in front, as in %s:%s",
		path, size, ErrFormat, strings.Join(fits, " or "), fits[0], path)
}

// gzipHead returns the beginning of the content of a gzip file, nil for other files.
func gzipHead(f io.ReaderAt) []byte {
	z, err := gzip.NewReader(bufio.NewReader(io.NewSectionReader(f, 0, 1<<62)))
	if err != nil {
		return nil
	}
	head := make([]byte, tarBlock)
	n, _ := io.ReadFull(z, head)
	return head[:n]
}
