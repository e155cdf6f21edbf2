package fsfile

import "io/fs"

// Stamp tells versions of a plain file apart without reading it. Two equal stamps of one path are the same content,
// unless somebody set the time of modification back, which shows in Changed where the operating system has that, or the
// file changed twice within the resolution of its clock.
type Stamp struct {
	Size     int64
	Modified int64  // nanoseconds since 1970
	Changed  int64  // time of the last change of content, owner, links or times; 0 where there is none
	Inode    uint64 // 0 where there is none
}

// StampOf returns the stamp of a file. ok is false for what is no plain file.
func StampOf(info fs.FileInfo) (s Stamp, ok bool) {
	s = Stamp{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	s.Changed, s.Inode = system(info)
	return s, info.Mode().IsRegular()
}

// Newest is the later of the stamp's times.
func (s Stamp) Newest() int64 { return max(s.Modified, s.Changed) }
