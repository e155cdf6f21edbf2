package eval

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/npyz"
)

// Hashes returns the [dataset.ContentHash] of each picture of a set. With a folder of kept features, hashes are
// remembered there for as long as the pictures' files do not change, so that these pictures are not decoded again.
// name is the set's name in progress, in errors and in the name of its file in the folder.
func (x *Extractor) Hashes(ctx context.Context, name string, set dataset.Dataset) ([][sha256.Size]byte, error) {
	known := dataset.WithHashes(set)
	if x.Dir == "" {
		err := x.look(ctx, name, known, set.Len())
		return known.Hashes(), err
	}
	path := filepath.Join(x.Dir, fileName(name)+".pictures.npz")
	remembered, err := x.recall(path)
	if err != nil {
		return nil, err
	}
	origins := make([]dataset.Origin, set.Len())
	stamps := map[string]fsfile.Stamp{}
	missing := 0
	for i := range origins {
		o, ok := dataset.OriginOf(set, i)
		if ok {
			if o.File, err = filepath.Abs(o.File); err != nil {
				return nil, err
			}
			origins[i] = o
			if _, known := stamps[o.File]; !known {
				stamps[o.File] = stampOf(o.File)
			}
		}
		if h, found := remembered[seen{o, stamps[o.File]}]; ok && found && stamps[o.File] != (fsfile.Stamp{}) {
			known.SetHash(i, h)
		} else {
			missing++
		}
	}
	if missing == 0 {
		return known.Hashes(), nil
	}
	if err := x.look(ctx, name, known, missing); err != nil {
		return nil, err
	}
	hashes := known.Hashes()
	return hashes, x.remember(path, origins, stamps, hashes)
}

// look hashes the pictures whose hashes are not known yet; missing is their number.
func (x *Extractor) look(ctx context.Context, name string, set *dataset.Hashed, missing int) error {
	add := x.options.counter(name+": compare pictures", missing)
	set.Progress, set.MaxMemory = func() { add(1) }, x.options.MaxMemory
	return set.HashAll(ctx, x.options.workers())
}

// seen identifies a picture by its place in a file and the file's stamp at that time.
type seen struct {
	dataset.Origin
	stamp fsfile.Stamp
}

// stampOf returns the stamp of a file, zero where there is none.
func stampOf(file string) fsfile.Stamp {
	info, err := os.Stat(file)
	if err != nil {
		return fsfile.Stamp{}
	}
	stamp, ok := fsfile.StampOf(info)
	if !ok {
		return fsfile.Stamp{}
	}
	return stamp
}

// settled is how long before the extractor was made a file must have been changed last for its hashes to be
// remembered. A later change then shows in the file's times: file systems have clocks with steps of up to two
// seconds.
const settled = 2 * time.Second

// remember writes the hashes of pictures whose files have not changed since before the extractor was made.
func (x *Extractor) remember(path string, origins []dataset.Origin, stamps map[string]fsfile.Stamp,
	hashes [][sha256.Size]byte) error {
	latest := x.made.Add(-settled).UnixNano()
	for file, stamp := range stamps {
		if stamp.Newest() >= latest || stampOf(file) != stamp {
			stamps[file] = fsfile.Stamp{}
		}
	}
	place := map[[2]string]int{} // index of a file, read in one way
	var names []string
	var stampRows, pictureRows []int64
	var digests []uint8
	for i, o := range origins {
		s := stamps[o.File]
		if s == (fsfile.Stamp{}) {
			continue
		}
		k, ok := place[[2]string{o.File, o.Format}]
		if !ok {
			k = len(place)
			place[[2]string{o.File, o.Format}], names = k, append(names, o.File, o.Format)
			stampRows = append(stampRows, s.Size, s.Modified, s.Changed, int64(s.Inode))
		}
		pictureRows = append(pictureRows, int64(k), int64(o.Record))
		digests = append(digests, hashes[i][:]...)
	}
	if len(digests) == 0 { // there is nothing to remember, and what an earlier call remembered is of no use
		return nil
	}
	return npyz.WriteNpz(path, npyz.Stored,
		npyz.Named{Name: "program", Array: npyz.Scalar(picturesFormat + x.Program)},
		npyz.Named{Name: "files", Array: npyz.New([]uint8(strings.Join(names, "\x00")))},
		npyz.Named{Name: "stamps", Array: npyz.New(stampRows, len(place), 4)},
		npyz.Named{Name: "pictures", Array: npyz.New(pictureRows, len(digests)/sha256.Size, 2)},
		npyz.Named{Name: "hashes", Array: npyz.New(digests, len(digests)/sha256.Size, sha256.Size)})
}

// picturesFormat is the start of the text that identifies a file of remembered pictures.
const picturesFormat = "goline pictures 1 "

// recall reads what the same program remembered, nil where there is nothing.
func (x *Extractor) recall(path string) (map[seen][sha256.Size]byte, error) {
	a, err := npyz.ReadNpz(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remembered pictures: %w (delete the file to look at them again)", err)
	}
	switch got, err := a.String("program"); {
	case err != nil || !strings.HasPrefix(got, picturesFormat):
		return nil, fmt.Errorf("%s is not a file of remembered pictures, and is not replaced: choose another folder",
			path)
	case got != picturesFormat+x.Program:
		return nil, nil
	}
	remembered, err := recalled(a)
	if err != nil {
		return nil, fmt.Errorf("remembered pictures %s: %w (delete the file to look at them again)", path, err)
	}
	return remembered, nil
}

// recalled decodes remembered pictures from their file.
func recalled(a *npyz.Archive) (map[seen][sha256.Size]byte, error) {
	raw, err := a.Get("files")
	if err != nil {
		return nil, err
	}
	text, ok := raw.Data.([]uint8)
	if !ok {
		return nil, fmt.Errorf("expected files of uint8, got %s", raw.TypeName())
	}
	names := strings.Split(string(text), "\x00") // a file and the way in which it is read, alternating
	stamps, err := a.Int64("stamps", len(names)/2, 4)
	if err != nil {
		return nil, err
	}
	pictures, err := a.Int64("pictures", -1, 2)
	if err != nil {
		return nil, err
	}
	hashes, err := a.Get("hashes")
	if err != nil {
		return nil, err
	}
	if err := hashes.CheckShape(len(pictures)/2, sha256.Size); err != nil {
		return nil, fmt.Errorf("hashes: %w", err)
	}
	digests, ok := hashes.Data.([]uint8)
	if !ok {
		return nil, fmt.Errorf("expected hashes of uint8, got %s", hashes.TypeName())
	}
	out := make(map[seen][sha256.Size]byte, len(pictures)/2)
	for i := range len(pictures) / 2 {
		file, record := pictures[2*i], pictures[2*i+1]
		if file < 0 || file >= int64(len(names)/2) {
			return nil, fmt.Errorf("picture %d is in file %d of %d", i, file, len(names)/2)
		}
		s := stamps[4*file:]
		origin := dataset.Origin{File: names[2*file], Format: names[2*file+1], Record: int(record)}
		key := seen{origin, fsfile.Stamp{Size: s[0], Modified: s[1], Changed: s[2], Inode: uint64(s[3])}}
		out[key] = [sha256.Size]byte(digests[i*sha256.Size:])
	}
	return out, nil
}
