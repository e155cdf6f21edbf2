package command

import (
	"path/filepath"
	"slices"
	"strings"
)

// formatEndings lists the endings of files that goline reads or writes in some format.
var formatEndings = []string{".csv", ".json", ".jsonl", ".npz", ".npy", ".parquet", ".onnx", ".html", ".htm", ".md",
	".tex", ".png", ".svg", ".dot", ".pth", ".pt", ".th", ".safetensors", ".tar", ".jpg", ".jpeg"}

// flagEndings holds the endings that suit the files of flags which name a format.
var flagEndings = map[string][]string{"--json": {".json"}, "--csv": {".csv"}, "--report": {".html", ".htm"},
	"--markdown": {".md"}, "--latex": {".tex"}, "--parquet": {".parquet"}}

// OutputAs is the output of a flag whose file is written in formats with these endings.
func OutputAs(flag, path string, endings ...string) []Output { return []Output{{flag, path, endings}} }

// checkEnding fails where an output has the ending of another format than the one that will be written, which would
// mislead everyone who finds the file. Other endings and none are the user's choice.
func (o Output) checkEnding() error {
	ending := strings.ToLower(filepath.Ext(o.path))
	if len(o.endings) == 0 || !slices.Contains(formatEndings, ending) || slices.Contains(o.endings, ending) {
		return nil
	}
	return Usagef("%s %s: expected the ending %s, got %q", o.flag, o.path, strings.Join(o.endings, " or "),
		filepath.Ext(o.path))
}
