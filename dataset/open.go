package dataset

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// Open opens a DATA argument, "[format:]path". The package comment lists the formats.
//
// A folder that contains folders is a labelled set with one class per folder, in which pictures are found at any depth;
// a folder without folders is a flat, unlabelled set. Pictures are told by their content. Hidden files and folders are
// ignored, and so are the usual side files: *.txt, *.csv, *.json, *.md, Thumbs.db. Any other file that is not a picture
// is an error, as is a class folder without a picture, or a folder with both classes and loose pictures. Symbolic links
// are followed, except for those that lead back into a folder which contains them.
//
// Everything that can be checked without decoding pictures is checked here: sizes, label ranges, counts. Sets joined by
// a pattern must have the same classes.
func Open(spec string) (Dataset, error) {
	d, err := open(spec)
	if err != nil {
		return nil, fmt.Errorf("open data %q: %w", spec, err)
	}
	return d, nil
}

func open(spec string) (Dataset, error) {
	format, path, err := splitSpec(spec)
	if err != nil {
		return nil, err
	}
	sources, err := resolve(format, path)
	if err != nil {
		return nil, err
	}
	labelSources(sources, path)
	parts := make([]Dataset, 0, len(sources))
	for _, s := range sources {
		d, err := openSource(s)
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

// openSource opens one file, folder or pair.
func openSource(s source) (Dataset, error) {
	format := s.format
	if format == "" {
		var err error
		if format, err = detect(s.path); err != nil {
			return nil, err
		}
	}
	switch format {
	case "cifar10":
		return cifar10.open(s)
	case "cifar100":
		return cifar100.open(s)
	case "folder":
		return openFolder(s)
	case "idx":
		return openIdx(s)
	case "npy":
		return openNpy(s)
	case "npz":
		return openNpz(s)
	}
	panic("dataset: a format without a reader: " + format)
}

// detect tells the format of a file or folder from its content.
func detect(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "folder", nil
	}
	f, size, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, picture.SniffLen)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	head = head[:n]
	switch {
	case strings.HasPrefix(string(head), "\x93NUMPY"):
		return "npy", nil
	case strings.HasPrefix(string(head), "PK\x03\x04"), strings.HasPrefix(string(head), "PK\x05\x06"):
		return "npz", nil
	case picture.Sniff(head) != picture.Unknown:
		return "folder", nil
	case isGzipIdx(f):
		return "idx", nil
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
		return "", fmt.Errorf("%s (%d bytes) has none of the known formats (tried %s); name it in front if it should, as in cifar10:%s",
			path, size, strings.Join(formats, ", "), path)
	}
	return "", fmt.Errorf("%s (%d bytes) can be %s; name the format in front, as in %s:%s",
		path, size, strings.Join(fits, " or "), fits[0], path)
}

// isGzipIdx tells whether a gzip file holds an idx array.
func isGzipIdx(f *os.File) bool {
	z, err := gzip.NewReader(bufio.NewReader(io.NewSectionReader(f, 0, 1<<62)))
	if err != nil {
		return false
	}
	var head [4]byte
	_, err = io.ReadFull(z, head[:])
	return err == nil && isIdx(head[:])
}

// openRegular opens a plain file; opening anything else could block.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		what := "not a regular file"
		if info.IsDir() {
			what = "a folder, want a file, or a pattern such as " + path + "/*"
		}
		return nil, 0, fmt.Errorf("%s: %s", path, what)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}
