//go:build linux && (amd64 || arm64) && !nocuda

package emu

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/ebitengine/purego"

	"github.com/line-ood/goline/internal/cuda"
)

// Card is the emulated card of a test or, with [Real], the machine's own.
type Card struct {
	t        testing.TB
	lib      uintptr // 0 for a real card
	launches int64   // counted here for a real card
}

// Real is the environment variable that, when not empty, makes tests run on the machine's own card instead of the
// emulated one. They then skip what a real card cannot count or be made to do. To rehearse that, name the emulated
// driver in [cuda.DriverVariable] and a compute capability, times ten, in GOLINE_EMULATED_CAPABILITY: the driver then
// has that capability, and fresh memory holds zeros.
const Real = "GOLINE_TEST_REAL_CARD"

// Required is the environment variable that, when not empty, makes a missing compiler an error instead of a reason to
// skip.
const Required = "GOLINE_REQUIRE_EMULATOR"

// Sanitized is the environment variable that, when not empty, gives the emulated driver AddressSanitizer: kernels may
// then neither read nor write outside of their memory. The test binary must run with
//
//	LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0:halt_on_error=0:quarantine_size_mb=8
const Sanitized = "GOLINE_EMULATED_SANITIZED"

// Use makes the process use the emulated driver while the test runs; the test must therefore not be parallel. The
// driver is built on first use and kept in the user's cache folder. Without g++ the test is skipped.
func Use(t testing.TB) *Card {
	t.Helper()
	if os.Getenv(Real) != "" {
		return &Card{t: t}
	}
	path := build(t)
	t.Setenv(cuda.DriverVariable, path)
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		t.Fatalf("emulated driver: %v", err)
	}
	c := &Card{t: t, lib: lib}
	c.call("emu_reset")
	t.Cleanup(func() { c.call("emu_reset") })
	return c
}

// build returns the path of the driver's library.
func build(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("g++"); err != nil {
		if os.Getenv(Required) != "" {
			t.Fatalf("%s is set, but there is no g++ to build the emulated driver with", Required)
		}
		t.Skip("no g++ to build the emulated driver with")
	}
	_, file, _, _ := runtime.Caller(0)
	here := filepath.Dir(file)
	sum := sha256.New()
	fmt.Fprintln(sum, os.Getenv(Sanitized) != "")
	for _, pattern := range []string{"driver/*", "../kernels/*.cu", "../kernels/*.cuh", "../kernels/*.ptx"} {
		files, err := filepath.Glob(filepath.Join(here, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("sources of the emulated driver: no %s in %s", pattern, here)
		}
		slices.Sort(files)
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(f), len(data), data)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, fmt.Sprintf("goline-emulated-card-%.12x", sum.Sum(nil)))
	path := filepath.Join(dir, "libcuda.so.1")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.Command("bash", filepath.Join(here, "driver", "build.sh"), dir).CombinedOutput(); err != nil {
		t.Fatalf("building the emulated driver: %v\n%s", err, out)
	}
	return path
}

func (c *Card) call(name string, args ...uintptr) {
	c.t.Helper()
	c.emulated()
	f, err := purego.Dlsym(c.lib, name)
	if err != nil {
		c.t.Fatalf("emulated driver: %v", err)
	}
	purego.SyscallN(f, args...)
}

// Counts skips the test on a real card, which does not count what it is used for.
func (c *Card) Counts() {
	c.t.Helper()
	if c.lib == 0 {
		c.t.Skip("only an emulated card counts what it does")
	}
}

// Emulated reports whether the card is the emulated one.
func (c *Card) Emulated() bool { return c.lib != 0 }

// Needs skips the test on a card whose compute capability, times ten, is less.
func (c *Card) Needs(tenfold int) {
	c.t.Helper()
	d, err := cuda.Open()
	if err != nil {
		c.t.Fatal(err)
	}
	cards, err := d.Cards()
	if err != nil {
		c.t.Fatal(err)
	}
	if card := cards[0]; 10*card.Major+card.Minor < tenfold {
		c.t.Skipf("needs compute capability %d.%d, %s has %s", tenfold/10, tenfold%10, card.Name, card.Capability())
	}
}

// emulated skips the test on a real card.
func (c *Card) emulated() {
	c.t.Helper()
	if c.lib == 0 {
		c.t.Skip("only an emulated card fails when it is told to")
	}
}

// Fail makes a function of the driver, named without the suffix of its revision, return the given result of the driver
// once: after the given number of further calls. A result of 700 or more loses the context for good.
func (c *Card) Fail(function string, after, result int) {
	c.t.Helper()
	c.emulated()
	name := append([]byte(function), 0)
	c.callBytes("emu_fail", name, uintptr(after), uintptr(result))
}

// SetMemory sets the size of the card's memory in bytes.
func (c *Card) SetMemory(bytes int) { c.t.Helper(); c.call("emu_set_memory", uintptr(bytes)) }

// SetDevices sets the number of cards that the driver finds.
func (c *Card) SetDevices(n int) { c.t.Helper(); c.call("emu_set_devices", uintptr(n)) }

// SetCapability sets the card's compute capability, times ten: 75 for 7.5.
func (c *Card) SetCapability(tenfold int) {
	c.t.Helper()
	c.call("emu_set_capability", uintptr(tenfold))
}

// SetVersion sets the version of CUDA that the driver belongs to: 11000 for 11.0. It refuses PTX of later versions.
func (c *Card) SetVersion(v int) { c.t.Helper(); c.call("emu_set_version", uintptr(v)) }

// Used counts what the process holds on the card, and what it has done there.
type Used struct {
	Bytes, Blocks, PinnedBytes, Streams, Contexts, Modules int64
	Launches                                               int64 // so far, as are the fields below
	Uploads, UploadedBytes, Downloads                      int64 // copies to the card and from it
	// copies from or to memory of the host that is not pinned
	Pageable int64
}

// Held returns Used without the counts that only grow.
func (u Used) Held() Used {
	u.Launches, u.Uploads, u.UploadedBytes, u.Downloads, u.Pageable = 0, 0, 0, 0, 0
	return u
}

// Used returns the present counts.
func (c *Card) Used() Used {
	c.t.Helper()
	if c.lib == 0 {
		c.launches += 1000
		return Used{Launches: c.launches}
	}
	var v [11]int64
	c.callInts("emu_count", &v)
	return Used{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10]}
}
