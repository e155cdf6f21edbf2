package rooms

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// backwards matches what an error does not say: that a value came before what was expected, or what a value must be.
// The words for both are "SUBJECT: expected X, got Y".
var backwards = regexp.MustCompile(`, (expected|want|wanted)\b|\b(must|should|has to|have to)( not)? be\b`)

// formatters returns the names of the functions of a file that take a format and its arguments, as fmt.Errorf does.
func formatters(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || len(f.Type.Params.List) < 2 {
			continue
		}
		params := f.Type.Params.List
		format, isIdent := params[len(params)-2].Type.(*ast.Ident)
		if _, variadic := params[len(params)-1].Type.(*ast.Ellipsis); variadic && isIdent && format.Name == "string" {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// literal returns the text of an expression of string literals and their sums. What is not a literal counts as empty.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return constant.StringVal(constant.MakeFromLiteral(e.Value, e.Kind, 0))
		}
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	case *ast.ParenExpr:
		return literal(e.X)
	}
	return ""
}

// otherWords returns the messages of a file that its errors should word in another way, each with its line. makers
// names the functions that an error's message is an argument of.
func otherWords(set *token.FileSet, file *ast.File, makers []string) (found []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		var name string
		switch f := ast.Unparen(call.Fun).(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if !slices.Contains(makers, name) {
			return true
		}
		for _, arg := range call.Args {
			if text := literal(arg); backwards.MatchString(text) {
				found = append(found, fmt.Sprintf("%d: %q", set.Position(arg.Pos()).Line, text))
			}
		}
		return true
	})
	return found
}

// TestErrorsSayWhatWasExpectedFirst: the messages of fmt.Errorf, errors.New, panic and of the repository's own
// functions of this kind say "expected X, got Y" where they say what was expected.
func TestErrorsSayWhatWasExpectedFirst(t *testing.T) {
	set := token.NewFileSet()
	files := map[string]*ast.File{}
	makers := []string{"Errorf", "New", "Sprintf", "Fatalf", "panic"}
	require.NoError(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("..", "..")+string(filepath.Separator)))
		files[room] = file
		makers = append(makers, formatters(file)...)
		return nil
	}))
	require.Subset(t, makers, []string{"Usagef", "badRequest", "configf", "unsupportedf", "labelf"})
	for path, file := range files {
		for _, message := range otherWords(set, file, makers) {
			t.Errorf("%s:%s: expected an error that says SUBJECT: expected X, got Y", path, message)
		}
	}
	require.Greater(t, len(files), 500)
}

func TestWhatIsBackwards(t *testing.T) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "a.go", `package a

func refuse(code int, format string, args ...any) error { return nil }

func join(parts ...string) {}

var a = []any{
	fmt.Errorf("%d samples, "+
		"expected at least 1", n),
	refuse(3, ("%d must not be 0"), n),
	errors.New("size should be 2"),
	errors.New("expected 2, got 3; what is unexpected, expectedly, stays"),
	join("a, expected b", "must be"),
	refuse(3, "bytes must begin with 1"),
	other.refuse(3, text+", expected "+more),
	func() { panic("x has shape y, want z") },
}`, 0)
	require.NoError(t, err)
	makers := formatters(file)
	require.Equal(t, []string{"refuse"}, makers)
	require.Equal(t, []string{`8: "%d samples, expected at least 1"`, `10: "%d must not be 0"`,
		`11: "size should be 2"`, `15: ", expected "`, `16: "x has shape y, want z"`},
		otherWords(set, file, append(makers, "Errorf", "New", "panic")))
}
