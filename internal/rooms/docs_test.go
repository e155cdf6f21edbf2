package rooms

import (
	"encoding/json"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is a text to read: a Markdown file, or the text of a notebook.
type page struct{ file, text string }

// pages returns README.md, docs, notebooks and all other Markdown files, except data that tests read.
func pages(t *testing.T) (all []page) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "testdata/*/*.md", "notebooks/*.ipynb"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			text := string(content)
			if filepath.Ext(file) == ".ipynb" {
				var n struct {
					Cells []struct {
						Type   string `json:"cell_type"`
						Source []string
					}
				}
				require.NoError(t, json.Unmarshal(content, &n), file)
				text = ""
				for _, c := range n.Cells {
					if c.Type == "markdown" {
						text += strings.Join(c.Source, "") + "\n\n"
					}
				}
			}
			all = append(all, page{file, text})
		}
	}
	require.Greater(t, len(all), 15)
	return all
}

// code matches the parts of a page that are code: blocks and spans.
var code = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]*`")

// anchors returns the names by which links refer to the headings of a page, as GitHub makes them.
func anchors(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		var name strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				name.WriteByte('-')
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
				name.WriteRune(r)
			}
		}
		all = append(all, name.String())
	}
	return all
}

// TestLinks: every link between pages, and to files and headings, has a target.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	followed := 0
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(p.text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := p.file
			if target != "" {
				file = filepath.Join(filepath.Dir(p.file), target)
			}
			content, err := os.ReadFile(file)
			if info, statErr := os.Stat(file); statErr == nil && info.IsDir() {
				err = nil
			}
			require.NoError(t, err, "%s links to %s", p.file, m[1])
			if anchor != "" {
				require.Contains(t, anchors(string(content)), anchor, "%s links to %s", p.file, m[1])
			}
			followed++
		}
	}
	require.Greater(t, followed, 60)
}

// TestPagesAreShort: a page that is too long to read at once must be divided.
func TestPagesAreShort(t *testing.T) {
	for _, p := range pages(t) {
		most := 12_000
		if filepath.Base(p.file) == "README.md" && filepath.Dir(p.file) == "../.." {
			most = 6_500
		}
		require.LessOrEqual(t, len(p.text), most, "%s: bytes", p.file)
	}
}

// library lists the folders of the packages that other modules can import.
func library(t *testing.T) (dirs []string) {
	t.Helper()
	cmd := exec.Command("go", "list", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	for name := range strings.FieldsSeq(string(out)) {
		name = strings.TrimPrefix(name, module)
		if !strings.Contains("/"+name+"/", "/internal/") && !strings.HasPrefix(name, "cmd/") &&
			!strings.HasPrefix(name, "testdata/") {
			dirs = append(dirs, name)
		}
	}
	require.Greater(t, len(dirs), 15)
	return dirs
}

// documentation returns the documentation of a package, for all platforms, with the examples in its tests.
func documentation(t *testing.T, dir string) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	require.NoError(t, err)
	var parsed []*ast.File
	for _, file := range files {
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		require.NoError(t, err)
		parsed = append(parsed, f)
	}
	p, err := doc.NewFromFiles(fset, parsed, module+dir)
	require.NoError(t, err)
	return p
}

// TestEveryNameIsDocumented: packages, constants, variables, functions, types and methods have comments, and the
// comment of a package shows a short program.
func TestEveryNameIsDocumented(t *testing.T) {
	for _, dir := range library(t) {
		p := documentation(t, dir)
		need := func(what, comment string) {
			if strings.TrimSpace(comment) == "" {
				t.Errorf("%s: %s has no comment", dir, what)
			}
		}
		values := func(all []*doc.Value) {
			for _, v := range all {
				if strings.TrimSpace(v.Doc) != "" {
					continue
				}
				for _, s := range v.Decl.Specs { // in a group without a comment each name needs its own
					s := s.(*ast.ValueSpec)
					need(s.Names[0].Name, s.Doc.Text()+s.Comment.Text())
				}
			}
		}
		functions := func(receiver string, all []*doc.Func) {
			for _, f := range all {
				need(receiver+f.Name, f.Doc)
			}
		}
		need("the package", p.Doc)
		if !strings.Contains(p.Doc, "\n\t") {
			t.Errorf("%s: the package's comment shows no program", dir)
		}
		values(p.Consts)
		values(p.Vars)
		functions("", p.Funcs)
		for _, ty := range p.Types {
			need(ty.Name, ty.Doc)
			values(ty.Consts)
			values(ty.Vars)
			functions("", ty.Funcs)
			functions(ty.Name+".", ty.Methods)
		}
	}
}

// mainTypes lists, by package, the types that a program starts from. Each must have an Example whose output is checked.
var mainTypes = map[string][]string{
	"attribution":              {"Estimate"},
	"attribution/compare":      {"Compare"},
	"attribution/estimate":     {"Permutation", "TopK", "Predict"},
	"attribution/games":        {"Func", "NewLayer", "NewPenultimateMean"},
	"attribution/interactions": {"Exact", "Sampled"},
	"dataset":                  {"Open", "OpenFS", "FromImages", "Batches", "Stream"},
	"dataset/demo":             {"Network"},
	"graph":                    {"Compile", "Gradients"},
	"graph/graphtest":          {"Op"},
	"line":                     {"Fit", "Detector", "Contributions", "FitMethod", "LoadFor"},
	"line/conformal":           {"Calibration", "Calibrator", "PerClass", "Online", "Drift", "BenjaminiHochberg"},
	"line/downstream":          {"Measure"},
	"line/eval":                {"Run", "Tune"},
	"line/metrics":             {"Evaluate", "Bootstrap", "DeLong"},
	"line/posthoc":             {"New", "Func", "Register"},
	"line/report":              {"Result", "ROC"},
	"nets":                     {"New", "Define", "Network"},
	"nets/onnx":                {"Open", "Export"},
	"nets/weights":             {"LoadInto", "Save"},
	"notebook":                 {"Output", "Progress"},
	"train":                    {"Run", "NewSchedule"},
}

// TestEveryMainTypeHasAnExample: each name in mainTypes has an Example, and every package that a program starts from is
// in mainTypes.
func TestEveryMainTypeHasAnExample(t *testing.T) {
	withoutMain := []string{"line/probe"} // packages that only other packages ask for
	for _, dir := range library(t) {
		names, known := mainTypes[dir]
		if !known {
			require.Contains(t, withoutMain, dir, "name its main types here")
			continue
		}
		p := documentation(t, dir)
		var shown []string
		add := func(examples []*doc.Example, name string) {
			for _, e := range examples {
				if e.Output != "" || e.EmptyOutput {
					shown = append(shown, name)
				}
			}
		}
		for _, f := range p.Funcs {
			add(f.Examples, f.Name)
		}
		for _, ty := range p.Types {
			add(ty.Examples, ty.Name)
			for _, f := range ty.Funcs {
				add(f.Examples, f.Name)
			}
			for _, m := range ty.Methods {
				add(m.Examples, ty.Name)
			}
		}
		for _, name := range names {
			if !slices.Contains(shown, name) {
				t.Errorf("%s: %s has no example with checked output", dir, name)
			}
		}
	}
}
