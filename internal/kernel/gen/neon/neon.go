package neon

import (
	"bytes"
	"fmt"
	"go/format"
)

// Files returns the content of the generated files by file name.
func Files() (map[string][]byte, error) {
	files, _, err := files()
	return files, err
}

// files also returns all instructions that were written as words.
func files() (map[string][]byte, []word, error) {
	files, words := map[string][]byte{}, []word(nil)
	decls := bytes.NewBufferString(header + "\npackage kernel\n")
	for _, unit := range []struct {
		name  string
		write func(*file)
	}{
		{"tile_arm64.s", tiles},
		{"fill_arm64.s", func(f *file) {
			panel(f)
			rows(f, 1)
			rows(f, 2)
			braid(f)
		}},
		{"dots_arm64.s", dots},
		{"routed_arm64.s", routedKernels},
		{"stream_arm64.s", streams},
		{"moment_arm64.s", moments},
		{"array_arm64.s", arrays},
		{"unary_arm64.s", unaries},
		{"depthtaps_arm64.s", depthTapsKernels},
		{"double_arm64.s", doubles},
		{"short_arm64.s", shorts},
		{"peak_arm64.s", peak},
	} {
		f := &file{decls: decls, words: &words}
		f.WriteString(header + "\n#include \"textflag.h\"\n")
		unit.write(f)
		files[unit.name] = f.Bytes()
	}
	dispatch(decls)
	src, err := format.Source(decls.Bytes())
	if err != nil {
		return nil, nil, fmt.Errorf("declarations for arm64: %w", err)
	}
	files["decl_arm64.go"] = src
	return files, words, nil
}

// dispatch writes Go functions that choose a kernel. They are switches rather than tables of functions, because
// arguments of a call through a table escape to the heap.
func dispatch(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n// streamNEON runs an elementwise operation.\nfunc streamNEON(op streamOp, args *streamArgs) {\n"+
		"\tswitch op {\n")
	for _, op := range streamOps {
		fmt.Fprintf(b, "\tcase op%c%s:\n\t\t%sNEON(args)\n", op.name[0]-'a'+'A', op.name[1:], op.name)
	}
	fmt.Fprintf(b, "\t}\n}\n\n// pairNEON runs an operation of one array and another or a number.\n"+
		"func pairNEON(op pairOp, args *streamArgs) {\n\tswitch op {\n")
	for _, op := range pairOps {
		fmt.Fprintf(b, "\tcase op%c%s:\n\t\t%sNEON(args)\n", op.name[0]-'a'+'A', op.name[1:], op.name)
	}
	fmt.Fprintf(b, "\t}\n}\n")
	for _, panel := range []bool{false, true} {
		name, doc := "tileNEON", "runs a tile of a view"
		if panel {
			name, doc = "tilePanelNEON", "runs a tile of a panel"
		}
		choose(b, name, "vecs", "tileArgs", doc, tileRows, 2, func(r, c int) string { return tileName(r, c, panel) })
	}
	choose(b, "dotsNEON", "cols", "dotsArgs", "runs a tile of products", dotRows, dotCols, func(r, c int) string {
		return fmt.Sprintf("dotsNEON_%dx%d", r, c)
	})
	for _, name := range []string{"routed", "spread", "spreadRouted"} {
		fmt.Fprintf(b, "\n// %s runs the kernel for so many rows.\nfunc %s(_ level, rows int, args *routedArgs) {\n"+
			"\tswitch rows {\n", name, name)
		for r := 1; r <= routedRows; r++ {
			fmt.Fprintf(b, "\tcase %d:\n\t\t%sNEON_%d(args)\n", r, name, r)
		}
		fmt.Fprintf(b, "\t}\n}\n")
	}
	for _, name := range []string{"double", "short"} {
		fmt.Fprintf(b, "\n// %sNEON runs a tile of so many rows.\nfunc %sNEON(rows int, args *panelTileArgs) {\n"+
			"\tswitch rows {\n", name, name)
		for r := 1; r <= panelRows; r++ {
			fmt.Fprintf(b, "\tcase %d:\n\t\t%sNEON_%d(args)\n", r, name, r)
		}
		fmt.Fprintf(b, "\tdefault:\n\t\tpanic(\"kernel: no such tile\")\n\t}\n}\n")
	}
	for _, gradient := range []bool{false, true} {
		name, doc := "unary", "runs an elementwise function, or reports that there is no code for it"
		if gradient {
			name, doc = "slope", "runs the gradient of an elementwise function, or reports that there is no code for it"
		}
		fmt.Fprintf(b, "\n// %sNEON %s.\nfunc %sNEON(kind UnaryKind, args *unaryArgs) bool {\n"+
			"\tswitch kind {\n", name, doc, name)
		for _, op := range unaryOps {
			if !gradient || op.slope != nil {
				fmt.Fprintf(b, "\tcase %s:\n\t\t%s%sNEON(args)\n", op.kinds, name, op.name)
			}
		}
		fmt.Fprintf(b, "\tdefault:\n\t\treturn false\n\t}\n\treturn true\n}\n")
	}
}

// choose writes a function that chooses a tile by its rows and columns.
func choose(b *bytes.Buffer, name, second, argType, doc string, rows, most int, kernel func(r, c int) string) {
	fmt.Fprintf(b, "\n// %s %s.\nfunc %s(rows, %s int, args *%s) {\n\tswitch %d*rows + %s {\n", name, doc, name, second,
		argType, most+1, second)
	for r := 1; r <= rows; r++ {
		for c := 1; c <= most; c++ {
			fmt.Fprintf(b, "\tcase %d:\n\t\t%s(args)\n", (most+1)*r+c, kernel(r, c))
		}
	}
	fmt.Fprintf(b, "\tdefault:\n\t\tpanic(\"kernel: no such tile\")\n\t}\n}\n")
}
