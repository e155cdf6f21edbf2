package rooms

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// importsOf is the sentence of a package's comment that says which public packages of the module it imports.
var importsOf = regexp.MustCompile(`Of\s+this\s+module\s+it\s+imports\s+([^;:.(]*)`)

// TestPackagesSayWhatTheyImport holds the comment of every public package to its imports, so that a reader knows what
// may be touched from where.
func TestPackagesSayWhatTheyImport(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !public(name) {
			continue
		}
		seen++
		want := []string{}
		for _, i := range p.Imports {
			if other, ours := strings.CutPrefix(i, module); ours && public(other) {
				want = append(want, other)
			}
		}
		comment := ""
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil,
				parser.PackageClauseOnly|parser.ParseComments)
			require.NoError(t, err)
			comment += f.Doc.Text()
		}
		found := importsOf.FindStringSubmatch(comment)
		require.NotNil(t, found, "%s: expected the sentence \"Of this module it imports ...\", got none", name)
		require.Equal(t, want, listed(found[1]), "%s: imports, and what its comment says of them", name)
	}
	require.Greater(t, seen, 20)
}

// public reports whether users may import the package with this path in the module.
func public(name string) bool {
	return !slices.Contains(strings.Split(name, "/"), "internal") && !strings.HasPrefix(name, "testdata") &&
		!strings.HasPrefix(name, "cmd/")
}

// listed returns the packages of a list such as "graph, line/eval and nets".
func listed(list string) []string {
	list = strings.Join(strings.Fields(list), " ")
	list, _, _ = strings.Cut(list, ", and ") // what follows is no package
	if list == "no public package" {
		return []string{}
	}
	return regexp.MustCompile(`, | and `).Split(list, -1)
}
