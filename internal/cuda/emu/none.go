//go:build !(linux && (amd64 || arm64)) || nocuda

package emu

import "testing"

// Card stands for the emulated card, which this build does not have.
type Card struct{}

// Used counts what the process holds on the card, and what it has done there.
type Used struct {
	Bytes, Blocks, PinnedBytes, Streams, Contexts, Modules int64
	Launches                                               int64 // so far, as are the fields below
	Uploads, UploadedBytes, Downloads                      int64 // copies to the card and from it
	// copies from or to memory of the host that is not pinned
	Pageable int64
}

// Held returns u.
func (u Used) Held() Used { return u }

// Required is the environment variable that, when not empty, makes a missing compiler an error instead of a reason to
// skip.
const Required = "GOLINE_REQUIRE_EMULATOR"

// Sanitized is the environment variable that, when not empty, gives the emulated driver AddressSanitizer.
const Sanitized = "GOLINE_EMULATED_SANITIZED"

// Use skips the test: there is no driver to emulate.
func Use(t testing.TB) *Card {
	t.Skip("this build has no CUDA")
	return nil
}

// Fail does nothing.
func (c *Card) Fail(string, int, int) {}

// SetMemory does nothing.
func (c *Card) SetMemory(int) {}

// SetDevices does nothing.
func (c *Card) SetDevices(int) {}

// SetCapability does nothing.
func (c *Card) SetCapability(int) {}

// SetVersion does nothing.
func (c *Card) SetVersion(int) {}

// Emulated returns false.
func (c *Card) Emulated() bool { return false }

// Needs does nothing.
func (c *Card) Needs(int) {}

// Counts does nothing.
func (c *Card) Counts() {}

// Used returns zeros.
func (c *Card) Used() Used { return Used{} }
