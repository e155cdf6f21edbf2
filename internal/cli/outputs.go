package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file is a flag with the path that it was given, "" for none.
type file struct{ flag, path string }

// checkOutputs fails, before any work, where an output could not be written in the end, where two are the same file, or where
// one would replace an input.
func checkOutputs(outputs []file, inputs ...file) error {
	for i, o := range outputs {
		if o.path == "" {
			continue
		}
		for _, other := range outputs[:i] {
			if other.path != "" && filepath.Clean(other.path) == filepath.Clean(o.path) && !device(o.path) {
				return usagef("%s and %s are the same file %s", other.flag, o.flag, o.path)
			}
		}
		for _, in := range inputs {
			if sameFile(o.path, in.path) {
				return usagef("%s %s would replace the file of %s", o.flag, o.path, in.flag)
			}
		}
		if err := writable(o.path); err != nil {
			return fmt.Errorf("%s %s: %w", o.flag, o.path, err)
		}
	}
	return nil
}

// data is the flag of a DATA argument, with the path without the format.
func data(flag, spec string) file {
	if _, err := os.Stat(spec); err != nil {
		if _, path, ok := strings.Cut(spec, ":"); ok {
			spec = path
		}
	}
	return file{flag, spec}
}

// device tells whether something other than a file or folder is there.
func device(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil || !x.Mode().IsRegular() {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// writable fails unless a file of that name can be put into its folder.
func writable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return errors.New("it is a folder")
	case err == nil && !info.Mode().IsRegular():
		return nil // a device, which is written to directly
	case err == nil:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return reason(err)
	}
	return writableFolder(filepath.Dir(path))
}

func writableFolder(dir string) error {
	f, err := os.CreateTemp(dir, ".goline-*.tmp")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s: %w", dir, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("folder %s: %w", dir, reason(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// reason drops the path from an error about a file that is named already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// makeFolder makes the folder of a flag if need be, and fails unless files can be put into it.
func makeFolder(flag, dir string) error {
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		err = writableFolder(dir)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, dir, reason(err))
	}
	return nil
}
