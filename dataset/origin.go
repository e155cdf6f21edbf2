package dataset

import "fmt"

// Origin identifies an image by its place on the disk.
type Origin struct {
	File   string // path; the image's pixels depend only on the file's content, Format and Record
	Format string // how the file is read
	Record int    // index in the file, counted from 0
}

// OriginOf returns the origin of image i of a set, without reading the image. ok is false for an image that is not in
// a file of the operating system: one in memory, from another file system, or made from other images.
func OriginOf(d Dataset, i int) (o Origin, ok bool) {
	if err := checkIndex(d, i); err != nil {
		return Origin{}, false
	}
	if d, is := d.(originer); is {
		return d.origin(i)
	}
	return Origin{}, false
}

// originer is a Dataset of files. The index i must be in range.
type originer interface {
	origin(i int) (o Origin, ok bool)
}

// file returns the path of a source on the disk, "" for a source from another file system.
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
