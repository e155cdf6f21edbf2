package dataset

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets"
)

// streamed reads a set as batches, and returns the values and labels.
func streamed(d Dataset) (x []float32, labels []int, err error) {
	for b, err := range Batches(context.Background(), d, nets.CIFAR(), BatchOptions{Size: 3, Workers: 2}) {
		if err != nil {
			return x, labels, err
		}
		x = append(x, b.X...)
		if b.Labels == nil {
			b.Labels = slices.Repeat([]int{-1}, b.N)
		}
		labels = append(labels, b.Labels...)
		b.Release()
	}
	return x, labels, nil
}

// TestReadTar: a stream, in small portions and compressed as well, gives the batches, names, labels and hashes of the
// same archive on the disk.
func TestReadTar(t *testing.T) {
	var samples []map[string][]byte
	for i := range 11 {
		s := map[string][]byte{"__key__": fmt.Appendf(nil, "d/%02d", i),
			"png": pngOf(t, 32, 32, color.NRGBA{R: uint8(20 * i), G: uint8(i), B: 9, A: 255}), "json": []byte("{}")}
		if i != 4 {
			s["cls"] = fmt.Append(nil, i%3)
		}
		samples = append(samples, s)
	}
	data := webDataset(t, samples...)
	disk := WithHashes(mustOpen(t, put(t, t.TempDir(), "x.tar", data)))
	x, labels, err := streamed(disk)
	require.NoError(t, err)
	for what, r := range map[string]io.Reader{
		"plain": bytes.NewReader(data), "portions": iotest.OneByteReader(bytes.NewReader(data)),
		"gzip": bytes.NewReader(gz(t, data)), "two of gzip": io.MultiReader(bytes.NewReader(gz(t, data[:5000])),
			bytes.NewReader(gz(t, data[5000:]))),
	} {
		in := ReadTar("stdin", r)
		require.Zero(t, in.Len())
		require.Nil(t, in.Labels())
		hashed := WithHashes(in)
		gotX, gotLabels, err := streamed(hashed)
		require.NoError(t, err, what)
		require.Equal(t, x, gotX, what)
		require.Equal(t, labels, gotLabels, what)
		require.Equal(t, disk.Labels(), in.Labels())
		require.Equal(t, disk.Hashes(), hashed.Hashes())
		require.Equal(t, disk.Len(), hashed.Len())
		for i := range disk.Len() {
			require.Equal(t, disk.ID(i), "x.tar/"+in.ID(i))
		}
		_, _, err = streamed(in)
		require.ErrorContains(t, err, "stdin: expected to be read once")
		_, err = in.Image(0)
		require.ErrorContains(t, err, "stdin: expected to be read once")
	}
	for b, err := range Batches(t.Context(), ReadTar("stdin", nil), nets.CIFAR(), BatchOptions{Indices: []int{0}}) {
		require.Zero(t, b.N)
		require.ErrorContains(t, err, "expected no indices of a set that is read once, got 1")
	}
}

// TestReadTarInMotion: pictures come before the archive is complete, and no more than a few are read ahead; the loop
// may be left.
func TestReadTarInMotion(t *testing.T) {
	var members []tarMember
	for i := range 1000 {
		members = append(members, inTar(fmt.Sprintf("%04d.png", i), pngOf(t, 32, 32, color.NRGBA{R: uint8(i), A: 255})))
	}
	at := &counted{Reader: bytes.NewReader(tarOf(t, members...))}
	in := ReadTar("stdin", at)
	for b, err := range Batches(t.Context(), in, nets.CIFAR(), BatchOptions{Size: 3, Workers: 2}) {
		require.NoError(t, err)
		require.Equal(t, 3, b.N)
		break
	}
	require.Less(t, in.Len(), 40)
	require.Less(t, at.n, int64(200_000))
}

// TestReadTarErrors: what Open refuses is refused, and errors name the archive and the member.
func TestReadTarErrors(t *testing.T) {
	picture := inTar("k/a.png", pngOf(t, 32, 32, color.NRGBA{R: 1, A: 255}))
	label, other := inTar("k/a.cls", []byte("1")), inTar("k/b.png", pngOf(t, 32, 32, color.NRGBA{R: 2, A: 255}))
	whole := tarOf(t, picture, label, other)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"label behind", tarOf(t, picture, other, label), "member k/a.cls: expected the label beside its picture"},
		{"two pictures", tarOf(t, picture, other, picture), "expected one picture for each key"},
		{"no picture", tarOf(t, picture, inTar("c.cls", []byte("1"))), "expected a picture beside the label"},
		{"no number", tarOf(t, picture, inTar("k/a.cls", []byte("x"))), "expected a class index"},
		{"damaged", tarOf(t, picture, inTar("k/b.png", []byte("none"))), "stdin, member k/b.png: "},
		{"joined", slices.Concat(whole, whole), "several archives in one file?"},
		{"empty", nil, "the archive is cut off at its beginning"},
		{"text", []byte("no archive, but some text"), "cut off at its beginning"},
		{"no pictures", tarOf(t, inTar("a.txt", nil)), "no images"},
		{"cut gzip", gz(t, whole)[:200], "unexpected EOF"},
	} {
		_, _, err := streamed(ReadTar("stdin", bytes.NewReader(c.data)))
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, "stdin", c.name)
	}
	for n := range len(whole) - tarBlock { // the last block of zeros may be missing, as for Open
		_, _, err := streamed(ReadTar("stdin", bytes.NewReader(whole[:n])))
		require.ErrorContains(t, err, "cut off", n)
	}
	_, _, err := streamed(ReadTar("stdin", iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(whole)))))
	require.ErrorIs(t, err, iotest.ErrTimeout)
}
