//go:build !(linux && (amd64 || arm64)) || nocuda

package emu

import "testing"

// Card is the emulated card of a test.
type Card struct{}

// Used counts what a process has of the card.
type Used struct {
	Bytes, Blocks, PinnedBytes, Streams, Contexts, Modules int64
	Launches                                               int64 // so far, like what follows
	Uploads, UploadedBytes, Downloads                      int64 // copies to the card and from it
	// copies that memory of the host that is not pinned took part in
	Pageable int64
}

// Held is Used without what only grows.
func (u Used) Held() Used { return u }

// Required names the environment variable that, when not empty, makes a missing compiler an error instead of a reason
// to skip.
const Required = "GOLINE_REQUIRE_EMULATOR"

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

// Counts does nothing.
func (c *Card) Counts() {}

// Used returns zeros.
func (c *Card) Used() Used { return Used{} }
