package dataset

import (
	"archive/tar"
	"bytes"
	"path"
	"strings"
)

// isTar tells by its beginning whether a file is a tar archive. Those of the oldest kind have no mark.
func isTar(head []byte) bool {
	const at = 257
	return len(head) >= tarBlock && bytes.HasPrefix(head[at:], []byte("ustar"))
}

// splitMember returns the key of a member and what it is, in small letters. Both are "" for names without a dot behind
// a first letter.
func splitMember(name string) (key, ending string) {
	folder, base := path.Split(name)
	first, rest, found := strings.Cut(base, ".")
	if !found || first == "" {
		return "", ""
	}
	return folder + first, strings.ToLower(rest)
}

// memberName is what errors call a member.
func memberName(name string) string { return shorten(text(name)) }

// hasContent tells whether a member has as many bytes in the archive as it says.
func hasContent(h *tar.Header) bool {
	switch h.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo, tar.TypeXGlobalHeader:
		return false
	}
	return !isSparse(h)
}

// isSparse tells whether the content of a member lies in pieces.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}
