package rooms

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is a piece of Go in a package comment or on a page, and its place.
type program struct{ where, text string }

// programs returns the programs in package comments, the Go blocks of all pages, and the cells of notebooks.
func programs(t *testing.T) (all []program) {
	t.Helper()
	for _, dir := range library(t) {
		var block []string
		flush := func() {
			if text := strings.TrimSpace(strings.Join(block, "\n")); text != "" {
				all = append(all, program{dir, text})
			}
			block = nil
		}
		for line := range strings.Lines(documentation(t, dir).Doc) {
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "\t") || line == "" && block != nil {
				block = append(block, line)
				continue
			}
			flush()
		}
		flush()
	}
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(p.text, -1) {
			all = append(all, program{p.file, m[1]})
		}
	}
	notebooks, err := filepath.Glob("../../notebooks/*.ipynb")
	require.NoError(t, err)
	for _, file := range notebooks {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var n struct {
			Cells []struct {
				Type   string `json:"cell_type"`
				Source []string
			}
		}
		require.NoError(t, json.Unmarshal(content, &n), file)
		for _, c := range n.Cells {
			if c.Type != "code" {
				continue
			}
			// The text before a line of %% consists of declarations, the text behind it is the body of main.
			for part := range strings.SplitSeq("\n"+strings.Join(c.Source, ""), "\n%%") {
				all = append(all, program{file, part})
			}
		}
	}
	require.Greater(t, len(all), 60)
	return all
}

// parse parses a program that is a file, a list of declarations, or a list of statements. Lines of … and GoNB's %%
// lines are left out.
func parse(text string) (*ast.File, error) {
	text = regexp.MustCompile(`(?m)^\s*(…|%%|\.\.\.|!\*.*)$`).ReplaceAllString(text, "")
	text = strings.NewReplacer("{ … }", "{}", "{ ... }", "{}").Replace(text)
	var first error
	for _, form := range []string{"%s", "package p\n%s", "package p\nfunc _() {\n%s\n}"} {
		f, err := parser.ParseFile(token.NewFileSet(), "", fmt.Sprintf(form, text), parser.SkipObjectResolution)
		if err == nil {
			return f, nil
		}
		first = err
	}
	return nil, first
}

// exported holds the exported names of a package, and separately those of fields and methods.
type exported struct{ names, members map[string]bool }

func exportedOf(p *doc.Package) exported {
	e := exported{map[string]bool{}, map[string]bool{}}
	value := func(all []*doc.Value) {
		for _, v := range all {
			for _, n := range v.Names {
				e.names[n] = true
			}
		}
	}
	function := func(to map[string]bool, all []*doc.Func) {
		for _, f := range all {
			to[f.Name] = true
		}
	}
	value(p.Consts)
	value(p.Vars)
	function(e.names, p.Funcs)
	for _, ty := range p.Types {
		e.names[ty.Name] = true
		value(ty.Consts)
		value(ty.Vars)
		function(e.names, ty.Funcs)
		function(e.members, ty.Methods)
		ast.Inspect(ty.Decl, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok {
				for _, name := range f.Names {
					e.members[name.Name] = true
				}
				if len(f.Names) == 0 { // an embedded type is a field, too
					switch x := f.Type.(type) {
					case *ast.Ident:
						e.members[x.Name] = true
					case *ast.SelectorExpr:
						e.members[x.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	return e
}

// otherMembers lists the members of other libraries' types that programs use.
var otherMembers = strings.Fields("Context Close Error Write Values Nodes Node String Done T Read Seek Bounds At")

// TestProgramsNameWhatExists: every name of the module in a program of a comment or a page is exported there, and every
// field and method belongs to some type.
func TestProgramsNameWhatExists(t *testing.T) {
	packages, members := map[string]exported{}, map[string]bool{}
	for _, name := range otherMembers {
		members[name] = true
	}
	for _, dir := range library(t) {
		e := exportedOf(documentation(t, dir))
		packages[dir[strings.LastIndex(dir, "/")+1:]] = e
		for name := range e.members {
			members[name] = true
		}
	}
	others := map[string]bool{}
	for name := range strings.FieldsSeq("context errors fmt G http io json log math os png rand slices sort strings " +
		"sync tensor time") {
		others[name] = true
	}
	checked := 0
	for _, p := range programs(t) {
		f, err := parse(p.text)
		if err != nil {
			t.Errorf("%s: a program that does not parse: %v\n%s", p.where, err, p.text)
			continue
		}
		local := map[string]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.AssignStmt); ok && s.Tok == token.DEFINE {
				for _, x := range s.Lhs {
					if i, ok := x.(*ast.Ident); ok {
						local[i.Name] = true
					}
				}
			}
			return true
		})
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || !s.Sel.IsExported() {
				return true
			}
			x, isName := s.X.(*ast.Ident)
			if isName && others[x.Name] && !local[x.Name] {
				return true
			}
			checked++
			if e, ok := packages[nameOf(x)]; ok && !local[x.Name] {
				if !e.names[s.Sel.Name] {
					t.Errorf("%s: package %s exports no %s", p.where, x.Name, s.Sel.Name)
				}
			} else if !members[s.Sel.Name] {
				t.Errorf("%s: no type has a field or method %s", p.where, s.Sel.Name)
			}
			return true
		})
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if s, ok := c.Type.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && packages[x.Name].names != nil {
					for _, element := range c.Elts {
						kv, ok := element.(*ast.KeyValueExpr)
						if !ok {
							continue
						}
						if key, ok := kv.Key.(*ast.Ident); ok && !packages[x.Name].members[key.Name] {
							t.Errorf("%s: %s.%s has no field %s", p.where, x.Name, s.Sel.Name, key.Name)
						}
					}
				}
			}
			return true
		})
	}
	require.Greater(t, checked, 150)
}

func nameOf(i *ast.Ident) string {
	if i == nil {
		return ""
	}
	return i.Name
}

// TestProgramsOfCommentsAreFormatted: the programs that package comments show are formatted as gofmt does it. A tool
// that wraps text may have broken their lines.
func TestProgramsOfCommentsAreFormatted(t *testing.T) {
	packages := library(t)
	for _, p := range programs(t) {
		if !slices.Contains(packages, p.where) {
			continue
		}
		var lines []string
		for line := range strings.Lines(p.text) {
			lines = append(lines, strings.TrimPrefix(strings.TrimRight(line, "\n"), "\t"))
		}
		text := strings.ReplaceAll(strings.Join(lines, "\n"), "\n…\n", "\n// …\n")
		formatted, err := format.Source([]byte(text))
		require.NoError(t, err, "%s:\n%s", p.where, text)
		if string(formatted) != text {
			t.Errorf("%s: expected a program as gofmt writes it, got\n%s", p.where, text)
		}
	}
}
