package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// tarBlock is the block size of a tar archive in bytes: a header is one block, contents are padded to whole
	// blocks.
	tarBlock = 512
	// maxTarLabel is the largest size of a label, a decimal number, in bytes.
	maxTarLabel = 64
)

// tarPictures are the extensions of the members that are pictures, tarLabel is that of the labels.
var tarPictures = []string{"jpg", "jpeg", "png", "webp", "bmp", "gif"}

const tarLabel = "cls"

// tarIndex holds what the headers of an archive say, and its labels. Members are grouped as in WebDataset: by their
// key, which is the path up to the first dot of its last element. The extension after that dot, in upper or lower
// case, says what a member is.
type tarIndex struct {
	file io.ReaderAt  // nil for a stream
	size int64        // of the file, in bytes; -1 for a stream
	err  func() error // error of the context, checked for every member

	samples []tarSample
	labels  []int // of the samples, -1 where unknown
	parts   map[string]tarParts
	keys    []string // keys of the labels, in the order of the archive
	ignored []string // the first of the other members, for errors
}

// tarParts describes the members of one key.
type tarParts struct {
	sample     int    // index of the picture, -1 for none so far
	labelledBy string // name of the label's member, "" for none so far
	label      int
}

// errGzipTar is the error for a compressed archive.
var errGzipTar = errors.New("expected a tar archive without compression, got gzip: pictures are read at their " +
	"offsets, so unpack it first (gunzip), or give it to standard input (score and features, --data tar:-)")

// read reads all headers, and the labels.
func (x *tarIndex) read() error {
	if z, err := gzip.NewReader(io.NewSectionReader(x.file, 0, x.size)); err == nil {
		z.Close()
		return errGzipTar
	}
	x.parts = map[string]tarParts{}
	at := io.NewSectionReader(x.file, 0, x.size)
	r := tar.NewReader(at)
	previous, end := "", int64(0) // name of the member before, and the end of its content
	for {
		if err := x.err(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // no file is created, so that unsafe names do no harm
			return tarFailure(previous, err)
		}
		offset, err := at.Seek(0, io.SeekCurrent)
		if err == nil {
			err = x.add(h, offset, r)
		}
		if err != nil {
			return fmt.Errorf("member %s: %w", memberName(h.Name), err)
		}
		previous, end = h.Name, offset
		if hasContent(h) {
			end += h.Size
		}
	}
	if err := x.checkEnd(at, end); err != nil {
		return tarFailure(previous, err)
	}
	return x.check()
}

// tarFailure returns the error for damage after the member previous, "" for the beginning of the archive.
func tarFailure(previous string, err error) error {
	where := "at its beginning"
	if previous != "" {
		where = "behind member " + memberName(previous)
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the archive is cut off %s: %w", where, err)
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("expected the header of a tar archive %s: %w", where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// add adds a member, whose content begins at offset. It reads content if the member is a label.
func (x *tarIndex) add(h *tar.Header, offset int64, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name := strings.TrimPrefix(h.Name, "./")
	key, ending := splitMember(name)
	isPicture := slices.Contains(tarPictures, ending)
	if !isPicture && ending != tarLabel || h.Typeflag == tar.TypeDir {
		const named = 3
		if h.Typeflag != tar.TypeDir && len(x.ignored) < named {
			x.ignored = append(x.ignored, memberName(name))
		}
		return nil
	}
	limit := int64(maxPictureFile)
	if !isPicture {
		limit = maxTarLabel
	}
	switch {
	case isSparse(h):
		return errors.New("expected a plain file, got a sparse one of GNU tar")
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("expected a plain file, got a link or a device (type %q)", h.Typeflag)
	case h.Size > limit:
		return fmt.Errorf("expected at most %d bytes, got %d", limit, h.Size)
	case x.size >= 0 && h.Size > x.size-offset:
		return fmt.Errorf("the archive is cut off: expected %d bytes, got %d: %w", h.Size, x.size-offset,
			io.ErrUnexpectedEOF)
	}
	p, known := x.parts[key]
	if !known {
		p = tarParts{sample: -1, label: -1}
	}
	if isPicture {
		if p.sample >= 0 {
			return fmt.Errorf("expected one picture for each key, got %s before with the key %s",
				memberName(x.samples[p.sample].member), memberName(key))
		}
		p.sample = len(x.samples)
		x.samples = append(x.samples, tarSample{strings.Clone(name), offset, h.Size})
		x.labels = append(x.labels, p.label)
	} else {
		if p.labelledBy != "" {
			return fmt.Errorf("expected one label for each key, got %s before with the key %s",
				memberName(p.labelledBy), memberName(key))
		}
		var err error
		if p.label, err = readLabel(content, h.Size); err != nil {
			return err
		}
		p.labelledBy = name
		if p.sample >= 0 {
			x.labels[p.sample] = p.label
		}
		x.keys = append(x.keys, key)
	}
	x.parts[key] = p
	return nil
}

func readLabel(content io.Reader, size int64) (int, error) {
	var b [maxTarLabel]byte
	if _, err := io.ReadFull(content, b[:size]); err != nil {
		return 0, err
	}
	label, err := strconv.ParseInt(strings.TrimSpace(string(b[:size])), 10, 32)
	if err != nil || label < -1 {
		return 0, fmt.Errorf("expected a class index as label, or -1 for unknown, got %q", b[:size])
	}
	return int(label), nil
}

// checkEnd looks for the blocks of zeros that end an archive, after the content of the last member; an archive that
// is truncated between two members shows it nowhere else. Only zeros may follow: a second archive would be ignored
// silently.
func (x *tarIndex) checkEnd(at io.Seeker, content int64) error {
	const looked = 1 << 20 // number of bytes after the end that are checked
	end, err := at.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	block := []byte{1} // anything but zeros
	if end-tarBlock >= content {
		block = make([]byte, tarBlock)
		if _, err := x.file.ReadAt(block, end-tarBlock); err != nil {
			return err
		}
	}
	if !isZero(block) {
		return fmt.Errorf("%w: expected blocks of zeros", io.ErrUnexpectedEOF)
	}
	rest := make([]byte, min(looked, x.size-end))
	if _, err := x.file.ReadAt(rest, end); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !isZero(rest) {
		return errTarsJoined
	}
	return nil
}

// errTarsJoined is the error for anything but zeros after the end of an archive.
var errTarsJoined = errors.New("expected nothing after the blocks of zeros that end the archive, got more (several " +
	"archives in one file?)")

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// check checks the complete index.
func (x *tarIndex) check() error {
	for _, key := range x.keys {
		if p := x.parts[key]; p.sample < 0 {
			return fmt.Errorf("member %s: expected a picture beside the label, %s with one of the endings %s",
				memberName(p.labelledBy), memberName(key), strings.Join(tarPictures, ", "))
		}
	}
	if len(x.samples) > 0 {
		return nil
	}
	got := "no members"
	if len(x.ignored) > 0 {
		got = "members such as " + strings.Join(x.ignored, ", ")
	}
	return fmt.Errorf("%w: expected members KEY.jpg, or with one of the endings %s behind the first dot, got %s",
		ErrNoImages, strings.Join(tarPictures[1:], ", "), got)
}

// known returns the labels, nil where no label is known.
func (x *tarIndex) known() []int {
	if slices.Max(x.labels) < 0 {
		return nil
	}
	return x.labels
}
