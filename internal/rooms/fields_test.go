package rooms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// undocumented lists the exported fields of structs and methods of interfaces in a type's declaration that no comment
// covers. A comment covers the members of the line that it stands above or beside; the lines below that one, up to an
// empty line, where it names the member; and so does the comment of the whole type.
func undocumented(fset *token.FileSet, comment string, spec *ast.TypeSpec) (missing []string) {
	line := func(pos token.Pos) int { return fset.Position(pos).Line }
	names := func(comment, name string) bool {
		return regexp.MustCompile(`\b` + name + `\b`).MatchString(comment)
	}
	members := func(list *ast.FieldList) {
		above, last := "", 0 // the comment above this run of lines, and the line of the member before
		for _, f := range list.List {
			if line(f.Pos()) > last+1 {
				above = ""
			}
			last = line(f.End())
			if f.Doc != nil {
				above = f.Doc.Text()
			}
			if f.Doc != nil || f.Comment != nil {
				continue
			}
			for _, name := range f.Names { // an embedded type has its own comment
				if name.IsExported() && !names(above, name.Name) && !names(comment, name.Name) {
					missing = append(missing, name.Name)
				}
			}
		}
	}
	ast.Inspect(spec, func(n ast.Node) bool {
		switch ty := n.(type) {
		case *ast.FuncType:
			return false // arguments are the function's own matter
		case *ast.StructType:
			members(ty.Fields)
		case *ast.InterfaceType:
			members(ty.Methods)
		}
		return true
	})
	return missing
}

// TestEveryFieldIsDocumented: exported fields of exported structs and methods of exported interfaces have comments.
func TestEveryFieldIsDocumented(t *testing.T) {
	types := 0
	for _, dir := range library(t) {
		files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			parsed, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
			require.NoError(t, err)
			for _, d := range parsed.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.TYPE {
					continue
				}
				for _, s := range g.Specs {
					s := s.(*ast.TypeSpec)
					if !s.Name.IsExported() {
						continue
					}
					types++
					for _, name := range undocumented(fset, g.Doc.Text()+s.Doc.Text(), s) {
						t.Errorf("%s: %s.%s has no comment", dir, s.Name.Name, name)
					}
				}
			}
		}
	}
	require.Greater(t, types, 300)
}

// TestWhatCoversAField shows each way, and each way to fail.
func TestWhatCoversAField(t *testing.T) {
	source := `package p

// T has Named.
type T struct {
	// A comment above, which names Second.
	First  int
	Second int
	Third  int
	Beside int // beside it
	Below  int

	Named int
	After int
	hidden int
	Embedded
	F func(x struct{ Argument int })
	Inner struct{ Deep int } // a field
}

type I interface {
	// Said says.
	Said()
	Unsaid()
}
`
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "", source, parser.ParseComments)
	require.NoError(t, err)
	var missing []string
	for _, d := range parsed.Decls {
		g := d.(*ast.GenDecl)
		missing = append(missing, undocumented(fset, g.Doc.Text(), g.Specs[0].(*ast.TypeSpec))...)
	}
	require.Equal(t, []string{"Third", "Below", "After", "F", "Deep", "Unsaid"}, missing)
}
