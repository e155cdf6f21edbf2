package dataset

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/sharedtest"
)

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	for _, k := range []cifarKind{cifar10, cifar100} {
		file := put(t, dir, k.format+".bin", cifarFile(k.labelBytes, 3, 9, 0))
		for _, spec := range []string{k.format + ":" + file, file} {
			d := mustOpen(t, spec)
			require.Equal(t, 3, d.Len())
			require.Equal(t, []int{3, 9, 0}, d.Labels())
			require.Equal(t, k.classes, d.Classes())
			require.Equal(t, k.format+".bin#2", d.ID(2))
			require.Equal(t, file, d.Name())
			for i := range 3 {
				img, err := d.Image(i)
				require.NoError(t, err)
				require.Equal(t, [2]int{32, 32}, [2]int{img.Height, img.Width})
				require.Len(t, img.Pix, 3*32*32)
				for p := range 1024 { // planes R, G, B
					for c := range 3 {
						require.Equal(t, uint8(i*31+c*1024+p), img.Pix[3*p+c])
					}
				}
			}
			_, err := d.Image(3)
			require.ErrorContains(t, err, "expected an image from 0 to 2, got 3")
			_, err = d.Image(-1)
			require.ErrorContains(t, err, "expected an image from 0 to 2, got -1")
		}
	}
	require.Len(t, cifar100.classes, 100)
	require.IsIncreasing(t, cifar100.classes)
	require.Len(t, cifar10.classes, 10)
	require.IsIncreasing(t, cifar10.classes)
}

func TestCIFARRefuses(t *testing.T) {
	dir := t.TempDir()
	whole := cifarFile(1, 3, 9)
	for _, c := range []struct {
		spec string
		data []byte
		want string
	}{
		{"cifar10:", whole[:len(whole)-1], "6145 bytes are not a multiple of the cifar10 record of 3073 bytes"},
		{"cifar100:", whole, "6146 bytes are not a multiple of the cifar100 record of 3074 bytes"},
		{"cifar10:", cifarFile(1, 0, 10), "record 1 has label 10, cifar10 has labels 0 to 9"},
		{"cifar100:", cifarFile(2, 99, 100), "record 1 has label 100, cifar100 has labels 0 to 99"},
		{"cifar10:", nil, "no images"},
		{"", cifarFile(1, 0, 10), "unknown format: expected one of"},
	} {
		file := put(t, dir, "data.bin", c.data)
		_, err := Open(c.spec + file)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, file)
	}
}

// A file whose size fits both sets is recognised by its labels, or refused.
func TestCIFARDetection(t *testing.T) {
	const both = 3073 * 3074
	file := t.TempDir() + "/both.bin"
	require.NoError(t, os.WriteFile(file, make([]byte, both), 0o644))
	_, err := Open(file)
	require.ErrorContains(t, err, "unknown format: it can be cifar10 or cifar100; name it in front, as in cifar10:")

	data := make([]byte, both)
	data[1] = 99 // a valid fine label of the first record, and for CIFAR-10 a pixel
	require.NoError(t, os.WriteFile(file, data, 0o644))
	_, err = Open(file)
	require.ErrorContains(t, err, "can be")
	data[3074*5] = 20 // no valid superclass
	require.NoError(t, os.WriteFile(file, data, 0o644))
	require.Equal(t, 3074, mustOpen(t, file).Len())
	require.Equal(t, 3073, mustOpen(t, "cifar100:"+file).Len())
	data[3074*5], data[3073*7] = 0, 10
	require.NoError(t, os.WriteFile(file, data, 0o644))
	require.Equal(t, cifar100.classes, mustOpen(t, file).Classes())
}

// TestCIFARChangesWhileOpen: a file that shrinks after it was opened, and a closed file, give errors.
func TestCIFARChangesWhileOpen(t *testing.T) {
	file := put(t, t.TempDir(), "data.bin", cifarFile(1, 1, 2))
	d, err := Open(file)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(file, 4000))
	_, err = d.Image(1)
	require.ErrorContains(t, err, file+", record 1: unexpected EOF: the file has become shorter")
	require.NoError(t, d.Close())
	_, err = d.Image(0)
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestCIFARShared(t *testing.T) {
	d := mustOpen(t, sharedtest.Path(t, "data", "cifar10_test_5000.bin"))
	counts := make([]int, 10)
	for _, label := range d.Labels() {
		counts[label]++
	}
	require.Equal(t, []int{500, 500, 500, 500, 500, 500, 500, 500, 500, 500}, counts)
	fine := mustOpen(t, sharedtest.Path(t, "data", "cifar100_test_500.bin"))
	require.Equal(t, 500, fine.Len())
	require.Len(t, fine.Classes(), 100)
}
