package dataset

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// cifarKind describes the records of one of the CIFAR sets: label bytes, followed by the planes R, G, B of 32x32
// pixels.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html
type cifarKind struct {
	format     string
	labelBytes int // the last one is the label
	classes    []string
}

const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
	// coarseClasses is the number of superclasses of CIFAR-100. Their label is the byte before the fine label.
	coarseClasses = 20
)

var (
	cifar10 = cifarKind{"cifar10", 1, strings.Fields(
		`airplane automobile bird cat deer dog frog horse ship truck`)}
	cifar100 = cifarKind{"cifar100", 2, strings.Fields(
		`apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
		caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
		flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
		motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
		poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
		squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
		wardrobe whale willow_tree wolf woman worm`)}
)

func (k cifarKind) record() int64 { return int64(k.labelBytes + cifarPixels) }

// open reads all labels; the pixels stay in the file.
func (k cifarKind) open(s source) (Dataset, error) {
	f, size, err := s.tree.openRegular(s.path)
	if err != nil {
		return nil, err
	}
	labels, err := k.labels(f, size)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return &records{
		name: s.name, path: s.path, file: s.file(), label: s.label, src: f, closer: f,
		first: int64(k.labelBytes), stride: k.record(), n: len(labels),
		height: cifarSide, width: cifarSide, colours: 3, planar: true,
		labels: labels, classes: slices.Clone(k.classes),
	}, nil
}

// labels reads the label byte of every record.
func (k cifarKind) labels(f io.ReaderAt, size int64) ([]int, error) {
	if size == 0 {
		return nil, ErrNoImages
	}
	if size%k.record() != 0 {
		return nil, fmt.Errorf("%d bytes are not a multiple of the %s record of %d bytes", size, k.format, k.record())
	}
	labels := make([]int, size/k.record())
	var b [1]byte
	for i := range labels {
		if _, err := f.ReadAt(b[:], int64(i)*k.record()+int64(k.labelBytes)-1); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		if labels[i] = int(b[0]); labels[i] >= len(k.classes) {
			return nil, fmt.Errorf("record %d has label %d, %s has labels 0 to %d", i, b[0], k.format, len(k.classes)-1)
		}
	}
	return labels, nil
}

// matches reports whether a file has a size and label bytes of this kind.
func (k cifarKind) matches(f io.ReaderAt, size int64) bool {
	if size == 0 || size%k.record() != 0 {
		return false
	}
	if _, err := k.labels(f, size); err != nil {
		return false
	}
	if k.labelBytes == 2 {
		var b [1]byte
		for at := int64(0); at < size; at += k.record() {
			if _, err := f.ReadAt(b[:], at); err != nil || b[0] >= coarseClasses {
				return false
			}
		}
	}
	return true
}
