package objects

import "io/fs"

// Folder returns the objects below a URL as files, for reading. Paths that lead out of it are refused.
func Folder(url string) fs.FS { return below(url) }

type below string

func (b below) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, blame("open", name, fs.ErrInvalid)
	}
	f, err := Open(Join(string(b), name))
	if err != nil {
		return nil, err // not a nil *File
	}
	return f, nil
}

func (b below) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, blame("stat", name, fs.ErrInvalid)
	}
	return Stat(Join(string(b), name))
}
