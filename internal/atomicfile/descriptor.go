package atomicfile

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// owner says which process has a descriptor.
type owner int

const (
	nobody  owner = iota // the path leads to no descriptor
	own                  // this process
	foreign              // another process
)

// maxLinks is the number of links that Linux follows in a path.
const maxLinks = 40

// descriptor returns the number of the descriptor that path leads to, and which process has it. It follows one link
// after another: the last one, from the descriptor to its file, would hide that there is a descriptor.
func descriptor(path string) (fd int, whose owner) {
	if filepath.Separator != '/' {
		return -1, nobody
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return -1, nobody
	}
	for range maxLinks {
		if fd, whose = named(path); whose != nobody {
			return fd, whose
		}
		// The folder of descriptors may itself be reached through links.
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
			if fd, whose = named(path); whose != nobody {
				return fd, whose
			}
		}
		link, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = filepath.Clean(link)
	}
	return -1, nobody
}

// descriptorPath matches the paths of descriptors: the number of one of this process' own, or the number of a process,
// of a thread, or neither for this one's, and then the descriptor's.
var descriptorPath = regexp.MustCompile(
	`^(?:/dev/fd/(\d+)|/proc/(?:(\d+)|self|thread-self)(?:/task/\d+)?/fd/(\d+))$`)

// named returns the number of the descriptor that an absolute path names by itself, and which process has it.
func named(path string) (fd int, whose owner) {
	switch path {
	case "/dev/stdout":
		return 1, own
	case "/dev/stderr":
		return 2, own
	}
	m := descriptorPath.FindStringSubmatch(path)
	if m == nil {
		return -1, nobody
	}
	fd, err := strconv.Atoi(m[1] + m[3])
	if err != nil {
		return -1, nobody
	}
	if m[2] != "" && m[2] != strconv.Itoa(os.Getpid()) {
		return fd, foreign
	}
	return fd, own
}
