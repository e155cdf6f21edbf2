package fsfile

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
)

// CheckZipNames fails where the name of a member differs between the directory at the end of a zip archive and the
// header in front of the member's content. No checksum covers names, but each is stored twice. Members whose header
// cannot be found are skipped.
func CheckZipNames(r io.ReaderAt, files []*zip.File) error {
	const (
		fixed    = 30      // bytes of a local header in front of the name
		maxExtra = 1 << 12 // PyTorch pads here to align contents, Python stores 64-bit sizes here
	)
	for _, f := range files {
		content, err := f.DataOffset()
		if err != nil {
			return err // damaged: the directory points outside of the file
		}
		window := make([]byte, min(content, int64(fixed+2*len(f.Name)+64+maxExtra)))
		if _, err := r.ReadAt(window, content-int64(len(window))); err != nil && err != io.EOF {
			return err
		}
		for at := len(window) - fixed; at >= 0; at-- {
			h := window[at:]
			if binary.LittleEndian.Uint32(h) != 0x04034b50 {
				continue
			}
			name, extra := int(binary.LittleEndian.Uint16(h[26:])), int(binary.LittleEndian.Uint16(h[28:]))
			if at+fixed+name+extra != len(window) {
				continue
			}
			if got := string(h[fixed : fixed+name]); got != f.Name {
				return fmt.Errorf("zip archive is damaged: a member is called %.100q in its directory and %.100q in "+
					"front of its content", f.Name, got)
			}
			break
		}
	}
	return nil
}
