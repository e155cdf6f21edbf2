package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// names is a set of file names, safe for concurrent use.
type names struct {
	mu  sync.Mutex
	set map[string]bool
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.set == nil {
		n.set = map[string]bool{}
	}
	n.set[name] = true
}

func (n *names) drop(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.set, name)
}

// live holds the names of the temporary files that this process is writing. Like the process' descriptors, they exist
// once per process.
var live names

// RemoveTemporary removes the temporary files that this process is writing. It is for a process that ends without
// waiting for their writers, which then fail.
func RemoveTemporary() {
	live.mu.Lock()
	defer live.mu.Unlock()
	for name := range live.set {
		os.Remove(name)
	}
}

// stale is the age from which on Sweep takes a temporary file for one that may have been left behind.
const stale = time.Minute

// Sweep removes temporary files that killed processes have left in a folder: those that have not been written to for a
// minute and that no process holds. Where the operating system cannot tell whether a process holds a file, Sweep
// removes files that have not been written to for a day. Files that cannot be examined or removed stay; Sweep reports
// no errors.
func Sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !strings.HasSuffix(e.Name(), suffix) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < stale {
			continue
		}
		if path := filepath.Join(dir, e.Name()); abandoned(path, info.ModTime()) {
			os.Remove(path)
		}
	}
}
