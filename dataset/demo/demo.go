// Package demo holds real pictures and a trained network in memory, for first steps, notebooks and examples without a
// download. The command goline demo uses it.
//
// The pictures are grey and 28×28. The sets are Fashion-MNIST, whose ten classes the network knows, and four kinds of
// pictures that it does not know. Each set names its source and its licence. The files are in the folder
// testdata/demo, whose README.md says how each was made.
//
//	net, _, err := demo.Network()
//	fit, err := demo.Fit()                   // pictures of what the network knows, to fit to
//	known, err := demo.Test()                // 1,000 pictures of clothes
//	strange, err := demo.OutOfDistribution() // digits, textures, photographs, galaxies
//	program, err := graph.Compile(net, graph.Options{})
//	images := dataset.Batches(ctx, fit, net.Preprocessing(), dataset.BatchOptions{})
//	det, err := line.Fit(ctx, program, images, line.Options{})
//
// It builds on packages dataset, nets and weights.
//
// Of this module it imports dataset, nets and nets/weights; the demo and notebooks import it.
package demo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
	files "github.com/line-ood/goline/testdata/demo"
)

const (
	// Architecture is the name of the network in package nets.
	Architecture = "resnet-fashion-8-24"
	weightsFile  = "weights.npz"
	side         = 28 // pixels
)

// Set is a set of pictures in memory. It is a [dataset.Dataset].
type Set struct {
	name    string
	labels  []int
	classes []string
	pixels  []uint8 // [picture, side, side]
	// Source says in one line what the pictures are and who made them, Licence under which terms they may be used.
	Source, Licence string
}

const (
	fashionSource  = "Fashion-MNIST, Zalando SE"
	fashionLicence = "MIT"
)

// Classes are the names of Fashion-MNIST's classes.
func Classes() []string {
	return []string{"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
		"ankle boot"}
}

// Fit returns 2,000 training pictures of Fashion-MNIST, 200 of each class.
func Fit() (*Set, error) { return fashion("fit") }

// Test returns 1,000 test pictures of Fashion-MNIST, 100 of each class.
func Test() (*Set, error) { return fashion("test") }

func fashion(part string) (*Set, error) {
	s, err := open("fashion-"+part, "fashion-"+part+"-images.gz", fashionSource, fashionLicence)
	if err != nil {
		return nil, err
	}
	raw, axes, err := readIdx("fashion-" + part + "-labels.gz")
	if err != nil {
		return nil, err
	}
	if len(axes) != 1 || axes[0] != s.Len() {
		return nil, fmt.Errorf("demo: labels of shape %v for %d pictures", axes, s.Len())
	}
	s.classes = Classes()
	for _, v := range raw {
		s.labels = append(s.labels, int(v))
	}
	return s, nil
}

// OutOfDistribution returns the pictures of things that the network does not know, about 500 of each kind.
func OutOfDistribution() ([]*Set, error) {
	var sets []*Set
	for _, o := range []struct{ name, source, licence string }{
		{"digits", "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI, with scikit-learn",
			"CC BY 4.0"},
		{"textures", "brick, grass and gravel of scikit-image's sample pictures", "CC0"},
		{"photographs",
			"astronaut (NASA), camera (L. Varshney), chelsea (S. van der Walt), coffee (R. Michetti), rocket " +
				"(SpaceX), with scikit-image", "CC0 or public domain"},
		{"galaxies", "Hubble eXtreme Deep Field, NASA and ESA, with scikit-image", "public domain"},
	} {
		s, err := open(o.name, o.name+".gz", o.source, o.licence)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

func open(name, file, source, licence string) (*Set, error) {
	raw, axes, err := readIdx(file)
	if err != nil {
		return nil, err
	}
	if len(axes) != 3 || axes[1] != side || axes[2] != side {
		return nil, fmt.Errorf("demo: %s: expected pictures of shape (N, %d, %d), got %v", file, side, side, axes)
	}
	return &Set{name: name, pixels: raw, Source: source, Licence: licence}, nil
}

// readIdx returns the bytes of an embedded idx file and its axes.
func readIdx(file string) (data []uint8, axes []int, err error) {
	packed, err := files.Files.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("demo: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, nil, fmt.Errorf("demo: %s: %w", file, err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, nil, fmt.Errorf("demo: %s: %w", file, err)
	}
	if len(raw) < 4 || len(raw) < 4+4*int(raw[3]) {
		return nil, nil, fmt.Errorf("demo: %s: not an idx file", file)
	}
	size := 1
	for i := range int(raw[3]) {
		axes = append(axes, int(binary.BigEndian.Uint32(raw[4+4*i:])))
		size *= axes[i]
	}
	if data = raw[4+4*len(axes):]; len(data) != size {
		return nil, nil, fmt.Errorf("demo: %s: %d bytes for shape %v", file, len(data), axes)
	}
	return data, axes, nil
}

// Name returns the kind of the pictures.
func (s *Set) Name() string { return s.name }

// Len returns the number of pictures.
func (s *Set) Len() int { return len(s.pixels) / (side * side) }

// Labels returns the classes of Fashion-MNIST pictures, nil for the other sets.
func (s *Set) Labels() []int { return s.labels }

// Classes returns the names of the classes.
func (s *Set) Classes() []string { return s.classes }

// ID returns "name#number", counted from 0.
func (s *Set) ID(i int) string { return fmt.Sprintf("%s#%d", s.name, i) }

// Close does nothing: the pictures stay in memory.
func (s *Set) Close() error { return nil }

// Grey returns the pixels of picture i [28, 28], which must not be changed.
func (s *Set) Grey(i int) []uint8 { return s.pixels[i*side*side:][:side*side] }

// Image returns picture i in RGB.
func (s *Set) Image(i int) (dataset.Image, error) {
	if i < 0 || i >= s.Len() {
		return dataset.Image{}, fmt.Errorf("demo: %s: picture %d of %d", s.name, i, s.Len())
	}
	img := dataset.Image{Pix: make([]uint8, 0, 3*side*side), Height: side, Width: side}
	for _, v := range s.Grey(i) {
		img.Pix = append(img.Pix, v, v, v)
	}
	return img, nil
}

// Network returns the network that goline trained on all of Fashion-MNIST's training pictures, and the SHA-256 of its
// weights' file in hexadecimal.
func Network() (net *nets.Network, sha string, err error) {
	raw, err := files.Files.ReadFile(weightsFile)
	if err != nil {
		return nil, "", fmt.Errorf("demo: %w", err)
	}
	sd, err := weights.ReadFrom(bytes.NewReader(raw), int64(len(raw)), weightsFile)
	if err != nil {
		return nil, "", fmt.Errorf("demo: %w", err)
	}
	if net, err = nets.New(Architecture, len(Classes())); err != nil {
		return nil, "", fmt.Errorf("demo: %w", err)
	}
	if err := weights.Load(net.Params(), sd); err != nil {
		return nil, "", fmt.Errorf("demo: %s: %w", weightsFile, err)
	}
	sum := sha256.Sum256(raw)
	return net, hex.EncodeToString(sum[:]), nil
}
