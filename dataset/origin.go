package dataset

import "fmt"

// Origin is where an image lies on the disk.
type Origin struct {
	File   string // path; the image's pixels follow from its content, Format and Record alone
	Format string // how the file is read
	Record int    // place in the file, counted from 0
}

// OriginOf returns where image i of a set lies, without looking at it. ok is false for an image that is no file's: one
// in memory, from another file system than the operating system's, or made from others.
func OriginOf(d Dataset, i int) (o Origin, ok bool) {
	if err := checkIndex(d, i); err != nil {
		return Origin{}, false
	}
	if d, is := d.(originer); is {
		return d.origin(i)
	}
	return Origin{}, false
}

// originer is a Dataset of files. Indices are in range.
type originer interface {
	origin(i int) (o Origin, ok bool)
}

// file is the path of a source on the disk, "" elsewhere.
func (s source) file() string {
	if s.tree.native {
		return s.path
	}
	return ""
}

func (r *records) origin(i int) (Origin, bool) {
	layout := fmt.Sprintf("%d bytes from %d on: %dx%dx%d", r.stride, r.first, r.height, r.width, r.colours)
	if r.planar {
		layout += " by colour"
	}
	return Origin{r.file, layout, i}, r.file != ""
}

func (p *pictures) origin(i int) (Origin, bool) {
	return Origin{p.file(i), "picture", 0}, p.tree.native
}

func (s *subset) origin(i int) (Origin, bool) { return OriginOf(s.Dataset, s.indices[i]) }

func (r *relabelled) origin(i int) (Origin, bool) { return OriginOf(r.Dataset, i) }

func (j *joined) origin(i int) (Origin, bool) {
	d, k := j.locate(i)
	return OriginOf(d, k)
}
