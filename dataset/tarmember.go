package dataset

import (
	"archive/tar"
	"bytes"
	"path"
	"strings"
)

// isTar reports whether a file begins like a tar archive. Archives of the oldest kind cannot be recognised by this.
func isTar(head []byte) bool {
	const at = 257
	return len(head) >= tarBlock && bytes.HasPrefix(head[at:], []byte("ustar"))
}

// splitMember returns the key and the extension of a member, the extension in lower case. Both are "" for names
// without a dot after their first letter.
func splitMember(name string) (key, ending string) {
	folder, base := path.Split(name)
	first, rest, found := strings.Cut(base, ".")
	if !found || first == "" {
		return "", ""
	}
	return folder + first, strings.ToLower(rest)
}

// memberName is the name of a member in errors.
func memberName(name string) string { return shorten(text(name)) }

// hasContent reports whether the content of a member is in the archive with the size that its header states.
func hasContent(h *tar.Header) bool {
	switch h.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo, tar.TypeXGlobalHeader:
		return false
	}
	return !isSparse(h)
}

// isSparse reports whether the content of a member is stored in pieces.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}
