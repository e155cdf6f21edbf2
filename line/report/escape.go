package report

import (
	"strconv"
	"strings"
	"unicode"
)

// printable makes a name safe to show in one line. Anything that is not a visible character or a plain space, such as
// a newline, a terminal's escape or a change of writing direction, appears as in a quoted Go string.
func printable(name string) string {
	var out strings.Builder
	for _, c := range name {
		if unicode.IsPrint(c) {
			out.WriteRune(c)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(c)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}

// markdown makes a name safe in Markdown text. It leaves "|" to the table writer. An underscore between letters or
// digits stays as it is, because it has no meaning there.
func markdown(name string) string {
	runes := []rune(printable(name))
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	var out strings.Builder
	for i, c := range runes {
		if strings.ContainsRune("\\`*[]<>&#~!$", c) || c == '_' && !(word(i-1) && word(i+1)) {
			out.WriteByte('\\')
		}
		out.WriteRune(c)
	}
	return out.String()
}

// shorten cuts a name to at most n characters, for labels in figures.
func shorten(name string, n int) string {
	runes := []rune(printable(name))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}
