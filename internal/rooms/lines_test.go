package rooms

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// mostColumns is the largest width of a line of Go. A tab counts as four columns.
const mostColumns = 120

// exempt returns the numbers of the lines that cannot be broken without changing their meaning: those of raw strings,
// of the expected outputs of examples, and of compiler directives.
func exempt(content []byte) map[int]bool {
	lines := map[int]bool{}
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(content))
	var s scanner.Scanner
	s.Init(file, content, nil, scanner.ScanComments)
	output := regexp.MustCompile(`^// (Unordered output|Output):`)
	last, within := 0, false // line of the last comment, and whether it belongs to an expected output
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return lines
		}
		line := set.Position(pos).Line
		switch {
		case tok == token.STRING && strings.Contains(text, "\n"):
			for i := range strings.Count(text, "\n") + 1 {
				lines[line+i] = true
			}
		case tok == token.COMMENT:
			within = output.MatchString(text) || within && line == last+1
			last = line
			if within || strings.HasPrefix(text, "//go:") {
				lines[line] = true
			}
		}
	}
}

// TestLinesAreShort: no line of Go is wider than 120 columns, except in generated files.
func TestLinesAreShort(t *testing.T) {
	files := 0
	require.NoError(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`).Match(content) {
			return nil
		}
		files++
		var free map[int]bool
		for i, line := range strings.Split(string(content), "\n") {
			columns := 0
			for _, r := range line {
				if columns++; r == '\t' {
					columns += 3 - (columns-1)%4
				}
			}
			if columns <= mostColumns {
				continue
			}
			if free == nil {
				free = exempt(content)
			}
			if !free[i+1] {
				t.Errorf("%s:%d: expected at most %d columns, got %d", path, i+1, mostColumns, columns)
			}
		}
		if !utf8.Valid(content) {
			t.Errorf("%s: expected UTF-8", path)
		}
		return nil
	}))
	require.Greater(t, files, 1000)
}
