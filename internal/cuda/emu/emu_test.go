package emu_test

import (
	"os"
	"testing"

	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// TestDriverPath says where the emulated driver is, for other programs than tests.
func TestDriverPath(t *testing.T) {
	emu.Use(t)
	t.Logf("driver: %s", os.Getenv(cuda.DriverVariable))
}
