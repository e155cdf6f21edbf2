package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// names is a set of files.
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

// live are the temporary files of this process: like its descriptors, something that a process has once.
var live names

// RemoveTemporary removes the temporary files that this process is writing, for a process that ends without waiting for
// their writers. Those fail then.
func RemoveTemporary() {
	live.mu.Lock()
	defer live.mu.Unlock()
	for name := range live.set {
		os.Remove(name)
	}
}

// stale is how long a temporary file must not have been written to before it can be left behind.
const stale = time.Minute

// Sweep removes temporary files that killed processes left in a folder: those that were not written to for a minute and
// that no process holds; where the operating system cannot tell, for a day. What cannot be looked at or removed stays.
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
