// Package dataset reads labelled images and turns them into network input.
//
// [Open] takes a DATA argument, "[format:]path". The formats:
//
//   - cifar10, cifar100: the official binary records, 1+3072 or 2+3072 bytes. For CIFAR-100 the fine label is used.
//   - folder: one folder per class, or pictures side by side without labels; also a single picture file. Classes and
//     files come in the order of torchvision's ImageFolder (byte order); see [Open] for what is skipped.
//   - idx: "images+labels" or "images" alone, plain or gzip, grey (N, H, W) or colour (N, H, W, 3): the format of
//     MNIST.
//   - list: a text file of lines "path label", as in OpenOOD. Paths are relative to the list's folder, or to another
//     folder in "list+folder". The label is a class index, or -1 where it is unknown. Without a prefix the list's name
//     must end in .txt.
//   - npy: uint8 (N, H, W, 3) or grey (N, H, W), without labels.
//   - npz: the same under the name images, x, data or arr_0, with labels (N) under labels, label, y or targets if
//     known.
//   - tar: an archive of pictures in WebDataset's format, or several by a pattern: "train-*.tar". KEY.jpg (or .jpeg,
//     .png, .webp, .bmp, .gif) is a picture and KEY.cls its label as decimal text, -1 where it is unknown or missing. A
//     key extends up to the first dot of the base name. Other members are ignored. Compressed archives, and archives
//     without the end mark of a tar file, are errors. [ReadTar] reads an archive from a pipe.
//
// Without a prefix the format is detected from the content. A path may be a pattern of [filepath.Glob]; the matches
// are sorted in byte order and joined. An existing path is never taken for a pattern, and the "C" of "C:\data" never
// for a format.
//
// Pictures become RGB exactly as by Pillow's Image.open(file).convert("RGB"), torchvision's default loader, including
// JPEG and WebP: the samples are those of libjpeg-turbo and libwebp, bit for bit. Resizing has the bits of Pillow,
// and normalisation those of PyTorch. See [Preprocess].
//
// Records of cifar, npy and uncompressed idx files and pictures in archives are read on demand; compressed files are
// unpacked into memory once.
//
// Labels are those of the data. With [OpenWith] they are indices of a network's classes instead, which [ReadClasses]
// reads from a file; the data may then be, for example, folders of some of ImageNet's classes.
//
// [OpenFS] reads the same formats from an fs.FS. [FromImages] makes a set of pictures in memory, [Stream] and
// [StreamChannel] make a stream of them, with the same bits as from files. [Files] and [Includes] tell which files an
// argument refers to.
//
//	set, err := dataset.Open("cifar10:data_batch_1.bin")
//	fmt.Println(set.Name(), set.Len(), set.Classes())
//	img, err := set.Image(0) // 8-bit RGB, an image.Image
//	err = png.Encode(file, img)
//	for batch, err := range dataset.Batches(ctx, set, nets.CIFAR(), dataset.BatchOptions{Size: 64}) {
//		fmt.Println(batch.N, batch.Labels, len(batch.X)) // X is [batch, 3, 32, 32], normalised
//	}
//	mine, err := dataset.FromImages("mine", images, labels, []string{"cat", "dog"}) // another set, from memory
//
// Of this module it imports graph and nets (for batches and preprocessing); training, detectors and commands are above
// it.
package dataset

import (
	"errors"
	"fmt"
)

// Dataset is an indexed set of images, labelled or not. Implementations are safe for concurrent use, and the slices
// that Labels and Classes return must not be modified.
type Dataset interface {
	// Name is the argument with which the set was opened.
	Name() string
	// Len is the number of images, at least 1.
	Len() int
	// Labels holds one class index per image, -1 where it is unknown. It is nil for unlabelled sets.
	Labels() []int
	// Classes holds the class names, nil where they are not known.
	Classes() []string
	// Image decodes image i, 0 <= i < Len. The caller owns the result. Errors name the file and the record.
	Image(i int) (Image, error)
	// ID identifies image i for users, for example in a file of scores: a relative path, or "file#record", records
	// counted from 0. It is UTF-8; an ID that begins with "./" stands for a path that is not UTF-8, whose invalid
	// bytes are written as \xff.
	ID(i int) string
	// Close releases files. Images cannot be read afterwards.
	Close() error
}

// reuser is a Dataset that can decode into memory of the caller.
type reuser interface {
	// imageInto is Image with a scratch, in which the result may lie: it may only be read, and only until the scratch
	// is used again.
	imageInto(i int, s *scratch) (Image, error)
}

// imageInto decodes image i of any set, into the scratch where the set supports that.
func imageInto(d Dataset, i int, s *scratch) (Image, error) {
	if r, ok := d.(reuser); ok {
		return r.imageInto(i, s)
	}
	return d.Image(i)
}

// ErrNoImages is wrapped by the errors for sets, selections and streams without images.
var ErrNoImages = errors.New("no images")

// ErrFormat is wrapped by the errors for data of an unknown format: a prefix that is not a format, or content that
// fits no format or several.
var ErrFormat = errors.New("unknown format")

// ErrPrefix is the [ErrFormat] of an argument whose prefix is no format, as in "tiff:pictures".
var ErrPrefix = fmt.Errorf("%w", ErrFormat)

// checkIndex returns an error for an index outside of the set.
func checkIndex(d Dataset, i int) error {
	if i < 0 || i >= d.Len() {
		return fmt.Errorf("%s: expected an image from 0 to %d, got %d", d.Name(), d.Len()-1, i)
	}
	return nil
}
