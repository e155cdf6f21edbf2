package notebook

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/line-ood/goline/internal/atomicfile"
)

// files writes each value to a file of a folder.
type files struct {
	dir string
	out io.Writer // gets the name of each new file

	mu    sync.Mutex
	known map[string]bool
}

// page is the beginning of an HTML file around a value.
const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>goline</title>
<style>body{font:14px sans-serif;color-scheme:light dark}table{border-collapse:collapse}td,th{padding:2px 8px}</style>
%s
</html>
`

func (f *files) put(number int, _ bool, b bundle) error {
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return fmt.Errorf("notebook: %w", err)
	}
	ending, content := "txt", b.text+"\n"
	switch {
	case len(b.png) > 0:
		ending, content = "png", string(b.png)
	case b.html != "":
		ending, content = "html", fmt.Sprintf(page, b.html)
	case b.markdown != "":
		ending, content = "md", b.markdown+"\n"
	}
	path := filepath.Join(f.dir, fmt.Sprintf("%02d.%s", number, ending))
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		return fmt.Errorf("notebook: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known[path] {
		return nil
	}
	if f.known == nil {
		f.known = map[string]bool{}
	}
	f.known[path] = true
	_, err = fmt.Fprintln(f.out, path)
	return err
}
