package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/nlpodyssey/gopickle/types"
)

// legacyMagic is a pickled number that follows the pickle's protocol at the start of files that torch.save wrote before
// version 1.6.
const legacyMagic = "\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

// legacyStart returns the length of the pickle of legacyMagic, of protocol 2 to 5, at the start of a file, or 0 if the
// file starts otherwise.
func legacyStart(head []byte) int {
	if len(head) < 2 || head[0] != 0x80 || head[1] < 2 || head[1] > 5 {
		return 0
	}
	n := 2
	if head[1] >= 4 && len(head) > n && head[n] == 0x95 { // a frame: its opcode and its length in eight bytes
		n += 9
	}
	if len(head) < n || !bytes.HasPrefix(head[n:], []byte(legacyMagic)) {
		return 0
	}
	return n + len(legacyMagic)
}

// legacyVersion is the only version of the format that PyTorch has written.
const legacyVersion = 1001

// readLegacy reads the format that torch.save wrote before version 1.6 (torch/serialization.py, _legacy_save). It
// consists of pickles of the magic number, the version, facts about the system, the object, and a list of the keys of
// the storages. Behind the pickles the storages follow in the order of that list, each as its number of elements, an
// int64, and the elements. Everything behind the pickles is little-endian on any system.
func readLegacy(r io.ReaderAt, size int64) (*StateDict, error) {
	head := make([]byte, min(size, 64))
	if err := readAt(r, head, 0); err != nil {
		return nil, err
	}
	f := legacyFile{r: r, size: size, at: int64(legacyStart(head))}
	version, err := f.pickle("version", persistentLoad)
	if err != nil {
		return nil, err
	}
	if version != legacyVersion {
		return nil, fmt.Errorf("expected version %d of PyTorch's legacy format, got %.50v", legacyVersion, version)
	}
	if _, err := f.pickle("system", persistentLoad); err != nil {
		return nil, err
	}
	named := map[string]*storage{}
	root, err := f.pickle("object", func(id any) (any, error) {
		v, err := persistentLoad(id)
		if s, ok := v.(*storage); ok && err == nil {
			if other := named[s.key]; other != nil && (other.class != s.class || other.size != s.size) {
				return nil, fmt.Errorf("storage %q is called %d of %s and %d of %s", s.key, other.size, other.class,
					s.size, s.class)
			}
			named[s.key] = s
		}
		return v, err
	})
	if err != nil {
		return nil, err
	}
	places, err := f.places(named)
	if err != nil {
		return nil, err
	}
	return newStorages(size, binary.LittleEndian, func(key string, limit int64) ([]byte, error) {
		at, ok := places[key]
		if !ok {
			return nil, fmt.Errorf("storage %q is missing", key)
		}
		if limit > size-at {
			return nil, fmt.Errorf("storage %q: %w", key, io.ErrUnexpectedEOF)
		}
		raw := make([]byte, limit)
		return raw, readAt(r, raw, at)
	}).stateDict(root)
}

// legacyFile is a file of the legacy format that has been read up to offset at.
type legacyFile struct {
	r        io.ReaderAt
	size, at int64
}

// pickle interprets the next pickle. It is read in pieces of doubling size, since only its end tells its length.
func (f *legacyFile) pickle(what string, persistent func(id any) (any, error)) (any, error) {
	for piece := int64(4096); ; piece *= 2 {
		piece = min(piece, f.size-f.at, maxPickle)
		data := make([]byte, piece)
		if err := readAt(f.r, data, f.at); err != nil {
			return nil, fmt.Errorf("pickle of the %s: %w", what, err)
		}
		n, err := scanPickle(data)
		switch {
		case errors.Is(err, errPickleCut) && piece == maxPickle:
			return nil, fmt.Errorf("pickle of the %s of more than %d bytes", what, maxPickle)
		case errors.Is(err, errPickleCut) && piece < f.size-f.at:
			continue
		case err != nil:
			return nil, fmt.Errorf("pickle of the %s: %w", what, err)
		}
		f.at += int64(n)
		v, err := unpickle(data[:n], persistent)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return v, nil
	}
}

// places reads the keys of the storages and returns the offset of the elements of each. The object must have named all
// of them with a class, because nothing else tells their size.
func (f *legacyFile) places(named map[string]*storage) (map[string]int64, error) {
	v, err := f.pickle("storage keys", persistentLoad)
	if err != nil {
		return nil, err
	}
	keys, ok := v.(*types.List)
	if !ok {
		return nil, fmt.Errorf("storage keys: expected a list, got a %T", v)
	}
	places := make(map[string]int64, len(*keys))
	for _, k := range *keys {
		key, ok := k.(string)
		s := named[key]
		if !ok || s == nil {
			return nil, fmt.Errorf("storage %.100q is none of the object", fmt.Sprint(k))
		}
		if _, again := places[key]; again {
			return nil, fmt.Errorf("storage %q comes twice", key)
		}
		bytes := int64(storedSize(s.class))
		if bytes == 0 {
			return nil, fmt.Errorf("storage %q: elements of %s are not supported", key, s.class)
		}
		var head [8]byte
		if err := readAt(f.r, head[:], f.at); err != nil {
			return nil, fmt.Errorf("storage %q: %w", key, err)
		}
		f.at += int64(len(head))
		if n := binary.LittleEndian.Uint64(head[:]); n != uint64(s.size) {
			return nil, fmt.Errorf("storage %q: expected %d elements, got %d", key, s.size, n)
		}
		if int64(s.size) > math.MaxInt64/16 || int64(s.size)*bytes > f.size-f.at {
			return nil, fmt.Errorf("storage %q of %d elements: %w", key, s.size, io.ErrUnexpectedEOF)
		}
		places[key] = f.at
		f.at += int64(s.size) * bytes
	}
	return places, nil
}

// storedSize returns the bytes per element of a storage class, including classes whose elements are only skipped; 0 if
// the class is unknown.
func storedSize(class string) int {
	if dt, ok := torchTypes[class]; ok {
		return dt.size
	}
	return map[string]int{
		"ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4,
	}[class]
}
