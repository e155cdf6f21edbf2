package fsfile

import "io/fs"

// Stamp identifies the version of a regular file without reading it. Two equal stamps of one path mean equal content,
// with two exceptions: somebody has set the modification time back (which shows in Changed, where the operating system
// has it), or the file changed twice within the resolution of its clock.
type Stamp struct {
	Size     int64
	Modified int64  // nanoseconds since 1970
	Changed  int64  // time of the last change of content, owner, links or times; 0 if unknown
	Inode    uint64 // 0 if unknown
}

// StampOf returns the stamp of a file. ok is false if it is not a regular file.
func StampOf(info fs.FileInfo) (s Stamp, ok bool) {
	s = Stamp{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	s.Changed, s.Inode = system(info)
	return s, info.Mode().IsRegular()
}

// Newest returns the later of the stamp's two times.
func (s Stamp) Newest() int64 { return max(s.Modified, s.Changed) }
