package cuda_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// TestPTXIsUpToDate: the committed PTX was made from the present sources.
func TestPTXIsUpToDate(t *testing.T) {
	sums, err := os.Open("kernels/kernels.sum")
	require.NoError(t, err)
	defer sums.Close()
	listed := map[string]bool{}
	for lines := bufio.NewScanner(sums); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		require.True(t, ok, lines.Text())
		data, err := os.ReadFile(filepath.Join("kernels", name))
		require.NoError(t, err)
		require.Equal(t, sum, fmt.Sprintf("%x", sha256.Sum256(data)),
			"kernels/%s has changed since the PTX was made: run kernels/build.py", name)
		listed[name] = true
	}
	for _, pattern := range []string{"*.cu", "*.cuh", "*.ptx"} {
		files, err := filepath.Glob(filepath.Join("kernels", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			require.True(t, listed[filepath.Base(f)], "%s is not in kernels.sum: run kernels/build.py", f)
		}
	}
}

func TestNoDriver(t *testing.T) {
	t.Setenv(cuda.DriverVariable, filepath.Join(t.TempDir(), "libnone.so"))
	_, err := cuda.Open()
	require.ErrorIs(t, err, cuda.ErrUnavailable)
	require.NotContains(t, err.Error(), "\n")
}

// context opens the emulated card. The test fails if it leaves something allocated there.
func context(t *testing.T) (*emu.Card, *cuda.Context) {
	t.Helper()
	card := emu.Use(t)
	d, err := cuda.Open()
	require.NoError(t, err)
	before := card.Used().Held()
	c, err := d.NewContext(0)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		require.Equal(t, before, card.Used().Held())
	})
	return card, c
}

func TestCards(t *testing.T) {
	card := emu.Use(t)
	d, err := cuda.Open()
	require.NoError(t, err)
	v, err := d.Version()
	require.NoError(t, err)
	require.Equal(t, 12040, v)
	card.SetDevices(2)
	cards, err := d.Cards()
	require.NoError(t, err)
	require.Len(t, cards, 2)
	require.Equal(t, cuda.Card{Index: 1, Name: "emulated card 1", Memory: 8 << 30, Major: 9, Processors: 132}, cards[1])
	for _, i := range []int{-1, 2} {
		_, err = d.NewContext(i)
		require.ErrorIs(t, err, cuda.ErrUnavailable)
		require.ErrorContains(t, err, fmt.Sprintf("expected a device from 0 to 1, got %d", i))
	}
	card.SetDevices(0)
	_, err = cuda.Open()
	require.ErrorIs(t, err, cuda.ErrUnavailable)
	require.ErrorContains(t, err, "CUDA_ERROR_NO_DEVICE")
}

// TestLaunch runs a kernel on uploaded memory and downloads the result.
func TestLaunch(t *testing.T) {
	card, c := context(t)
	s, err := c.NewStream()
	require.NoError(t, err)
	defer s.Close()
	const n = 1000
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i) - 500
	}
	p, err := c.Alloc(2 * 4 * n)
	require.NoError(t, err)
	defer c.Free(p)
	got := make([]float32, n)
	require.NoError(t, cuda.Download(s, got, p))
	if card.Emulated() {
		require.NoError(t, s.Sync())
		require.True(t, math.IsNaN(float64(got[n/2])), "fresh memory")
	}
	require.NoError(t, cuda.Upload(s, p, x))
	k, err := c.Kernel("unary_f32")
	require.NoError(t, err)
	const relu = 1
	var a cuda.Args
	a.Ptr(p.Add(4 * n)).Int(n).Ptr(p).Int(n).Int(relu).Float(0).Float(0).Int(n).Int(n)
	require.NoError(t, s.Launch(k, cuda.Grid{X: 4, Y: 1, Z: 1, Threads: 256}, &a))
	require.NoError(t, cuda.Download(s, got, p.Add(4*n)))
	require.NoError(t, s.Sync())
	for i, v := range got {
		require.Equal(t, max(x[i], 0), v, "element %d", i)
	}
	err = s.Launch(k, cuda.Grid{X: 1, Y: 70000, Z: 1, Threads: 256}, &a)
	require.ErrorContains(t, err, "expected a grid of 1 to 2147483647 × 65535 × 65535 blocks, got 1 × 70000 × 1")
	_, err = c.Kernel("none")
	require.ErrorContains(t, err, "no kernel is named none")
}

// TestEveryKernelLoads: the PTX and the emulated kernels have the same names, parameters and barriers.
func TestEveryKernelLoads(t *testing.T) {
	all, err := cuda.Kernels()
	require.NoError(t, err)
	require.Greater(t, len(all), 50)
	for part, capability := range map[string]int{"float32": 70, "TF32": 80} {
		t.Run(part, func(t *testing.T) {
			card, c := context(t)
			card.Needs(capability)
			for _, name := range all {
				if strings.HasSuffix(name, "_tf32") == (part == "TF32") {
					_, err := c.Kernel(name)
					require.NoError(t, err)
				}
			}
		})
	}
}

// TestOldDrivers: a driver of CUDA 11.0 takes all kernels. One that does not know the version of a kernel's PTX gets an
// error that says which driver to install, and still runs kernels of older PTX.
func TestOldDrivers(t *testing.T) {
	card, c := context(t)
	card.SetVersion(10020)
	_, err := c.Kernel("copy_f32")
	require.NoError(t, err)
	_, err = c.Kernel("conv16_k1_tf32")
	require.ErrorIs(t, err, cuda.ErrUnavailable)
	require.EqualError(t, err, "kernel conv16_k1_tf32 of tensor.ptx on device 0 (emulated card 0): CUDA is not "+
		"available: the driver, of CUDA 10.2, is too old for it: expected a driver of CUDA 11.0 (450.36.06) or later: "+
		"cuModuleLoadDataEx: the provided PTX was compiled with an unsupported toolchain. "+
		"(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, 222)")
	card.SetVersion(11000)
	all, err := cuda.Kernels()
	require.NoError(t, err)
	for _, name := range all {
		_, err := c.Kernel(name)
		require.NoError(t, err)
	}
}

func TestFailures(t *testing.T) {
	card, c := context(t)
	card.SetMemory(1 << 20)
	_, err := c.Alloc(2 << 20)
	require.ErrorIs(t, err, cuda.ErrOutOfMemory)
	require.ErrorContains(t, err, "device 0 (emulated card 0): 2097152 bytes wanted, 1048576 of 1048576 are free")

	card.Fail("cuMemAllocHost", 0, 1)
	_, err = c.AllocHost(8)
	require.ErrorContains(t, err, "cuMemAllocHost: invalid argument (CUDA_ERROR_INVALID_VALUE, 1)")

	card.Fail("cuModuleLoadDataEx", 0, 218)
	_, err = c.Kernel("copy_f32")
	require.ErrorContains(t, err,
		"kernel copy_f32 of elementwise.ptx on device 0 (emulated card 0): cuModuleLoadDataEx: a PTX JIT compilation "+
			"failed")
	_, err = c.Kernel("copy_f32")
	require.NoError(t, err, "another try")

	s, err := c.NewStream()
	require.NoError(t, err)
	defer s.Close()
	card.Fail("cuStreamSynchronize", 0, 700)
	err = s.Sync()
	require.ErrorIs(t, err, cuda.ErrLost)
	require.ErrorContains(t, err, "CUDA_ERROR_ILLEGAL_ADDRESS")
	_, err = c.Alloc(8)
	require.ErrorIs(t, err, cuda.ErrLost, "from then on")
	emu.Use(t) // another card
}

// TestWritesBesideMemoryAreFound: the emulated card notices a kernel that writes beyond the memory it was given.
func TestWritesBesideMemoryAreFound(t *testing.T) {
	_, c := context(t)
	s, err := c.NewStream()
	require.NoError(t, err)
	defer s.Close()
	p, err := c.Alloc(40)
	require.NoError(t, err)
	require.NoError(t, s.Zero(p, 40))
	k, err := c.Kernel("unary_f32")
	require.NoError(t, err)
	var a cuda.Args
	a.Ptr(p).Int(11).Ptr(p).Int(11).Int(22).Float(0).Float(0).Int(11).Int(11)
	err = s.Launch(k, cuda.Grid{X: 1, Y: 1, Z: 1, Threads: 256}, &a)
	require.ErrorIs(t, err, cuda.ErrLost)
	emu.Use(t)
	require.NoError(t, c.Free(p))
}

// TestReadsBesideMemoryAreFound: with AddressSanitizer the emulated card notices a kernel that reads beyond the memory
// it was given, just behind it or far away.
func TestReadsBesideMemoryAreFound(t *testing.T) {
	if os.Getenv(emu.Sanitized) == "" {
		t.Skipf("needs the emulated card with AddressSanitizer, see %s; .ci/cuda runs it", emu.Sanitized)
	}
	for name, c := range map[string]struct {
		kernel string
		args   func(a *cuda.Args, to, from cuda.Ptr)
	}{ // AddressSanitizer reports an instruction once, so each has a kernel of its own
		"one element behind": {"copy_f32", func(a *cuda.Args, to, from cuda.Ptr) {
			a.Ptr(to).Int(11).Ptr(from).Int(11).Int(11).Int(11)
		}},
		"far away": {"sum_rows_f32", func(a *cuda.Args, to, from cuda.Ptr) {
			a.Ptr(to).Ptr(from.Add(30000)).Int(1).Int(10)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, ctx := context(t)
			s, err := ctx.NewStream()
			require.NoError(t, err)
			defer s.Close()
			from, err := ctx.Alloc(40)
			require.NoError(t, err)
			to, err := ctx.Alloc(44)
			require.NoError(t, err)
			k, err := ctx.Kernel(c.kernel)
			require.NoError(t, err)
			var a cuda.Args
			c.args(&a, to, from)
			require.ErrorIs(t, s.Launch(k, cuda.Grid{X: 1, Y: 1, Z: 1, Threads: 256}, &a), cuda.ErrLost)
			emu.Use(t)
			require.NoError(t, ctx.Free(from))
			require.NoError(t, ctx.Free(to))
		})
	}
}
