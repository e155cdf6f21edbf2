package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// BenchmarkLaunch measures the time for queueing a kernel, without that of a real driver: the emulated driver runs one
// thread.
func BenchmarkLaunch(b *testing.B) {
	emu.Use(b)
	d, err := cuda.Open()
	require.NoError(b, err)
	c, err := d.NewContext(0)
	require.NoError(b, err)
	defer c.Close()
	s, err := c.NewStream()
	require.NoError(b, err)
	defer s.Close()
	p, err := c.Alloc(4)
	require.NoError(b, err)
	defer c.Free(p)
	k, err := c.Kernel("fill_f32")
	require.NoError(b, err)
	var a cuda.Args
	for b.Loop() {
		if err := s.Launch(k, cuda.Grid{X: 1, Y: 1, Z: 1, Threads: 1}, a.Reset().Ptr(p).Float(1).Int(1)); err != nil {
			b.Fatal(err)
		}
	}
}
