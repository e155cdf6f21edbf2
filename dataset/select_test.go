package dataset

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// fake is a set whose image i is one pixel of the colour (i, i, i).
type fake struct {
	name    string
	n       int
	labels  []int
	classes []string
	image   func(i int) (Image, error)
	closed  int
	err     error
}

func (f *fake) Name() string      { return f.name }
func (f *fake) Len() int          { return f.n }
func (f *fake) Labels() []int     { return f.labels }
func (f *fake) Classes() []string { return f.classes }
func (f *fake) ID(i int) string   { return f.name + "#" + string(rune('0'+i%10)) }
func (f *fake) Close() error      { f.closed++; return f.err }
func (f *fake) Image(i int) (Image, error) {
	if f.image != nil {
		return f.image(i)
	}
	return Image{Pix: []uint8{uint8(i), uint8(i), uint8(i)}, Height: 1, Width: 1}, nil
}

func TestSubset(t *testing.T) {
	f := &fake{name: "f", n: 5, labels: []int{5, 6, 7, 8, -1}, classes: []string{"a"}}
	indices := []int{4, 0, 0, 2}
	d, err := Subset(f, indices)
	require.NoError(t, err)
	indices[0] = 1 // the subset must have copied the indices
	require.Equal(t, []int{-1, 5, 5, 7}, d.Labels())
	require.Equal(t, []string{"f#4", "f#0", "f#0", "f#2"}, ids(d))
	require.Equal(t, []int{4, 0, 0, 2}, reds(t, d))
	require.Equal(t, "f", d.Name())
	require.Equal(t, []string{"a"}, d.Classes())
	_, err = d.Image(4)
	require.ErrorContains(t, err, "f: expected an image from 0 to 3, got 4")
	require.NoError(t, d.Close())
	require.Equal(t, 1, f.closed)

	f.labels = nil
	d, err = Subset(f, []int{1})
	require.NoError(t, err)
	require.Nil(t, d.Labels())
	_, err = Subset(f, []int{1, 5})
	require.ErrorContains(t, err, "subset of f: expected an image from 0 to 4, got 5")
	_, err = Subset(f, nil)
	require.ErrorContains(t, err, "subset of f: no images")
}

func TestLimit(t *testing.T) {
	f := &fake{name: "f", n: 5, labels: []int{5, 6, 7, 8, 9}}
	d, err := Limit(f, 2)
	require.NoError(t, err)
	require.Equal(t, []int{5, 6}, d.Labels())
	require.Equal(t, []int{0, 1}, reds(t, d))
	for _, n := range []int{5, 6} {
		d, err = Limit(f, n)
		require.NoError(t, err)
		require.Same(t, f, d)
	}
	_, err = Limit(f, 0)
	require.ErrorContains(t, err, "limit of f: expected at least 1 image, got 0")
}

func TestConcat(t *testing.T) {
	a := &fake{name: "a", n: 2, labels: []int{3, 4}, classes: []string{"x", "y"}}
	b := &fake{name: "b", n: 1}
	c := &fake{name: "c", n: 3, labels: []int{0, 1, 0}, err: errors.New("c does not close")}
	d, err := Concat(a, b, c)
	require.NoError(t, err)
	require.Equal(t, "a, b, c", d.Name())
	require.Equal(t, []int{3, 4, -1, 0, 1, 0}, d.Labels())
	require.Equal(t, []string{"x", "y"}, d.Classes())
	require.Equal(t, []string{"a#0", "a#1", "b#0", "c#0", "c#1", "c#2"}, ids(d))
	require.Equal(t, []int{0, 1, 0, 0, 1, 2}, reds(t, d))
	_, err = d.Image(6)
	require.ErrorContains(t, err, "expected an image from 0 to 5, got 6")
	require.ErrorContains(t, d.Close(), "c does not close")
	require.Equal(t, []int{1, 1, 1}, []int{a.closed, b.closed, c.closed})

	d, err = Concat(b, b)
	require.NoError(t, err)
	require.Nil(t, d.Labels())
	require.Nil(t, d.Classes())
	_, err = Concat()
	require.ErrorContains(t, err, "no images")
	_, err = Concat(a, &fake{name: "d", n: 1, classes: []string{"x", "z"}})
	require.ErrorContains(t, err, "a has the classes x, y, but d has x, z")
}
