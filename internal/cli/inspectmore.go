package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/parquetfile"
	"github.com/line-ood/goline/nets/onnx"
)

// inspectParquet adds the rows, columns and metadata of a Parquet file.
func inspectParquet(f *facts, path string) error {
	file, err := fsfile.OpenRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	found, err := parquetfile.Inspect(file, info.Size())
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	f.add("file", path)
	f.add("kind", "Parquet")
	f.add("rows", found.Rows)
	f.add("columns", strings.Join(found.Columns, ", "))
	for _, key := range slices.Sorted(maps.Keys(found.Meta)) {
		f.add(strings.TrimPrefix(key, "goline."), found.Meta[key])
	}
	return nil
}

// largestJSON is the size in bytes of the largest JSON file whose keys are listed.
const largestJSON = 64 << 20

// inspectJSON adds what every text has, and the keys of the object, which tell which command wrote it.
func inspectJSON(f *facts, path string) error {
	if err := inspectText(f, path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > largestJSON {
		return err
	}
	data, err := fsfile.ReadRegular(path)
	if err != nil {
		return err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) == nil {
		f.add("keys", strings.Join(slices.Sorted(maps.Keys(object)), ", "))
	}
	return nil
}

// inspectList takes a file of text for a list of pictures if it can be read as such, and otherwise for class names.
func inspectList(f *facts, path string) error {
	var pictures facts
	err := inspectData(&pictures, path)
	if err == nil {
		*f = pictures
		return nil
	}
	classes, unread := dataset.ReadClasses(path)
	if unread != nil {
		return err
	}
	f.add("file", path)
	f.add("kind", "class names")
	f.add("classes", len(classes))
	f.add("first", classes[0].Name)
	return nil
}

// inspectExternal recognises the external data of an ONNX file beside it.
func inspectExternal(f *facts, path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return false
	}
	for _, e := range entries {
		model := filepath.Join(filepath.Dir(path), e.Name())
		if !strings.EqualFold(filepath.Ext(model), ".onnx") || !e.Type().IsRegular() {
			continue
		}
		files, err := onnx.ExternalFiles(model)
		if err != nil {
			continue
		}
		for _, file := range files {
			if other, err := os.Stat(file); err == nil && os.SameFile(info, other) {
				f.add("file", path)
				f.add("kind", "external data of "+model)
				f.add("bytes", info.Size())
				return true
			}
		}
	}
	return false
}
