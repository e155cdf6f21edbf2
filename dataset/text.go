package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// text returns a file's name as text. Names that are UTF-8 stay as they are. File systems allow others, which no JSON
// and no NumPy array holds: they begin with "./", as no other name here does, and have their stray bytes as \xff and
// backslashes doubled, so that different names stay different.
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
