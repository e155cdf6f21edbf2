package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// text returns a file's name as valid UTF-8. Names that are UTF-8 are returned unchanged. File systems allow other
// names, which neither JSON nor NumPy arrays can hold. The result for such a name begins with "./", as no other name
// here does; its invalid bytes are written as \xff and its backslashes are doubled, so that different names stay
// different.
func text(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	b.WriteString("./")
	for i, r := range name {
		_, size := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, name[i])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
