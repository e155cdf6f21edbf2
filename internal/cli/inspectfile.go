package cli

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets/onnx"
)

// inspectFile recognises the kind of a file and adds its facts.
func inspectFile(f *facts, path string, net command.Network) error {
	info, err := fs.Stat(fsfile.Disk(), path)
	switch {
	case err != nil || info.IsDir(): // not a file: a DATA argument may be a pattern, or name a format
		return inspectData(f, path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: expected a file or a folder, got a device or a pipe", path)
	}
	if inspectExternal(f, path) {
		return nil
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".csv", ".jsonl", ".html", ".svg", ".dot", ".gv", ".md", ".tex":
		return inspectText(f, path)
	case ".json":
		return inspectJSON(f, path)
	case ".parquet":
		return inspectParquet(f, path)
	case ".txt":
		return inspectList(f, path)
	case ".npz":
		return inspectNpz(f, path)
	case ".npy":
		return inspectNpy(f, path)
	case ".bin", ".gz":
		return inspectData(f, path)
	case ".onnx":
		return inspectONNX(f, path, net)
	}
	return inspectEither(f, path)
}

// inspectONNX adds the layers of an ONNX file's network and, for an exported detector, the detector's metadata.
func inspectONNX(f *facts, path string, net command.Network) error {
	data, err := fsfile.ReadRegular(path)
	if err != nil {
		return err
	}
	properties, err := onnx.Metadata(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f.add("file", path)
	if _, exported := properties["goline.line"]; !exported {
		f.add("kind", "ONNX network")
		net.Name = path
		return inspectNetwork(f, net)
	}
	f.add("kind", "ONNX file of a detector")
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		f.add(strings.TrimPrefix(key, "goline."), properties[key])
	}
	return nil
}

// inspectNpy takes an array of bytes for images, and adds shape and type of any other array.
func inspectNpy(f *facts, path string) error {
	var pictures facts
	if err := inspectData(&pictures, path); err == nil {
		*f = pictures
		return nil
	}
	a, err := npyz.ReadNpyFile(path)
	if err != nil {
		return err
	}
	f.add("file", path)
	f.add("kind", "array")
	f.add("array", fmt.Sprintf("%v of %s", a.Shape, a.TypeName()))
	return nil
}

// inspectNpz recognises the kind of an npz file by its arrays.
func inspectNpz(f *facts, path string) error {
	a, err := npyz.ReadNpz(path)
	if err != nil {
		return err
	}
	format := ""
	if a.Has("format") {
		format, _ = a.String("format")
	}
	all := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !a.Has(name) })
	}
	switch {
	case strings.Contains(format, "detector"):
		return inspectDetector(f, path)
	case strings.Contains(format, "statistics"):
		return inspectArrays(f, path, "statistics of a part of a fit, for goline merge", a)
	case strings.Contains(format, "training checkpoint"):
		return inspectArrays(f, path, "training checkpoint", a)
	case all("features", "logits", "labels"):
		return inspectArrays(f, path, "features", a)
	case all("ids", "scores", "predictions"):
		return inspectArrays(f, path, "scores", a)
	}
	return inspectEither(f, path)
}

// inspectEither takes a file for pictures if it can be read as such, and otherwise for weights.
func inspectEither(f *facts, path string) error {
	var pictures facts
	err := inspectData(&pictures, path)
	if err == nil {
		*f = pictures
		return nil
	}
	if isTar(path) && !errors.Is(err, dataset.ErrNoImages) { // a damaged archive of pictures
		return err
	}
	return inspectWeights(f, path)
}

// isTar tells whether a file starts like a tar archive.
func isTar(path string) bool {
	file, err := fsfile.OpenRegular(path)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = tar.NewReader(file).Next()
	return err == nil
}

// inspectArrays lists the arrays of an npz file.
func inspectArrays(f *facts, path, kind string, a *npyz.Archive) error {
	f.add("file", path)
	f.add("kind", kind)
	for name, array := range a.All() {
		f.add("array "+name, fmt.Sprintf("%v of %s", array.Shape, array.TypeName()))
	}
	return nil
}

// inspectText adds the first lines of a file of scores, rates or Shapley values, and its number of lines.
func inspectText(f *facts, path string) error {
	file, err := fsfile.OpenRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	const longest = 200
	r := bufio.NewReader(file)
	first, lines := "", 0
	for {
		text, err := r.ReadString('\n')
		if text != "" {
			if lines++; lines == 1 {
				first = strings.TrimSpace(text)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	if len(first) > longest {
		first = first[:longest] + "…"
	}
	f.add("file", path)
	f.add("kind", strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	f.add("lines", lines)
	f.add("begins_with", fmt.Sprintf("%q", first))
	return nil
}
