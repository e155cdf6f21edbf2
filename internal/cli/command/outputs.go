package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/objects"
	"github.com/line-ood/goline/nets/onnx"
)

// Output is a flag that names a file to write, "" for none.
type Output struct {
	flag, path string
	endings    []string // those that suit the format, nil where the command looks at the ending itself
}

// Outputs makes outputs of pairs of a flag and its value.
func Outputs(pairs ...string) []Output {
	out := make([]Output, len(pairs)/2)
	for i := range out {
		out[i] = Output{pairs[2*i], pairs[2*i+1], flagEndings[pairs[2*i]]}
	}
	return out
}

// Input is a flag and the files that it makes the command read.
type Input struct {
	flag  string
	at    string // path, or DATA
	files func() ([]string, error)
}

// canMeet tells whether an output can be one of the input's files at all. What lies in a store is not listed to find
// out that no file of this machine is in it.
func (in Input) canMeet(o Output) bool {
	if !strings.Contains(in.at, "://") || strings.Contains(in.at, "file://") {
		return true
	}
	if path := local(o.path); objects.IsURL(path) {
		bucket, _ := objects.Split(path)
		return strings.Contains(in.at, bucket)
	}
	return false
}

// InputFile is a flag that names one file, "" for none.
func InputFile(flag, path string) Input {
	return Input{flag, path, func() ([]string, error) { return []string{path}, nil }}
}

// InputData returns the input of a flag with a DATA argument: every file that the argument resolves to. An argument
// that cannot be resolved is no error here; opening it reports the error.
func InputData(flag, spec string) Input {
	return Input{flag, spec, func() ([]string, error) {
		if spec == "" {
			return nil, nil
		}
		files, err := dataset.Files(spec)
		if err != nil {
			return nil, nil
		}
		return files, nil
	}}
}

// inputExternal returns the input of a flag that names an ONNX file: the files of external data that are read with it.
// A file that cannot be read is no error here; opening it reports the error.
func inputExternal(flag, path string) Input {
	return Input{flag, path, func() ([]string, error) {
		files, err := onnx.ExternalFiles(path)
		if err != nil {
			return nil, nil
		}
		return files, nil
	}}
}

// InputFolder returns the input of a flag, such as --features-dir, that names a folder whose files may be read; "" for
// none.
func InputFolder(flag, dir string) Input {
	return Input{flag, dir, func() ([]string, error) {
		if dir == "" {
			return nil, nil
		}
		return filepath.Glob(filepath.Join(escapeGlob(dir), "*"))
	}}
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// CheckOutputs fails, before any work, where an output could not be written at the end, where two outputs are one file,
// where an output would replace a file that is read, or where it has the ending of another format.
func CheckOutputs(outputs []Output, inputs ...Input) error {
	outputs = slices.DeleteFunc(slices.Clone(outputs), func(o Output) bool {
		return o.path == "" || atomicfile.IsStream(o.path)
	})
	for i, o := range outputs {
		for _, other := range outputs[:i] {
			if sameTarget(other.path, o.path) {
				return Usagef("%s and %s are the same file %s", other.flag, o.flag, o.path)
			}
		}
	}
	for _, in := range inputs {
		if !slices.ContainsFunc(outputs, in.canMeet) {
			continue
		}
		files, err := in.files()
		if err != nil {
			return fmt.Errorf("%s: %w", in.flag, err)
		}
		for _, f := range files {
			for _, o := range outputs {
				if sameFile(o.path, f) {
					return Usagef("%s %s would replace the file of %s, %s", o.flag, o.path, in.flag, f)
				}
			}
		}
	}
	for _, o := range outputs {
		if err := o.checkEnding(); err != nil {
			return err
		}
		if err := writable(o.path); err != nil {
			return fmt.Errorf("%s %s: %w", o.flag, o.path, err)
		}
	}
	return nil
}

// sameFile tells whether two paths name the same existing regular file.
func sameFile(a, b string) bool {
	if a, b = local(a), local(b); objects.IsURL(a) || objects.IsURL(b) {
		return objects.IsURL(a) && objects.IsURL(b) && objects.SameURL(a, b)
	}
	x, err := os.Stat(a)
	if err != nil || !x.Mode().IsRegular() {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// local returns the path of a file of this machine that is given as a URL, and other paths as they are.
func local(path string) string {
	if p, ok := objects.Local(path); ok {
		return p
	}
	return path
}

// sameTarget tells whether what is written to both paths would end in one file, which need not exist yet.
func sameTarget(a, b string) bool { return sameFile(a, b) || target(a) == target(b) }

// target returns the path that symbolic links lead to, which need not exist yet.
func target(path string) string {
	if path = local(path); objects.IsURL(path) {
		return objects.Join(path, "")
	}
	for range 40 { // as many links as Linux follows
		link, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return filepath.Clean(path)
}

// writable fails unless a file at that path can be created or replaced.
func writable(path string) error {
	if objects.IsURL(path) {
		return objects.CheckWrite(path)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return errors.New("it is a folder")
	case err == nil && !info.Mode().IsRegular():
		return nil // a device, to which the output is written directly
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
	atomicfile.Sweep(dir) // removes temporary files that killed processes have left there
	f, err := os.CreateTemp(dir, ".goline-*.tmp")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s: %w", dir, fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("folder %s: %w", dir, reason(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// reason removes the path from an error, for a message that names the file already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// MakeFolder creates the folder of a flag if it does not exist, and fails unless files can be created in it.
func MakeFolder(flag, dir string) error {
	if objects.IsURL(dir) {
		return Usagef("%s %s: expected a folder of this machine, got the URL of a store", flag, dir)
	}
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		err = writableFolder(dir)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, dir, reason(err))
	}
	return nil
}
