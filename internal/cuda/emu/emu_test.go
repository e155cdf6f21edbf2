package emu_test

import (
	"os"
	"testing"

	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// TestDriverPath logs the path of the emulated driver, for use by programs other than tests.
func TestDriverPath(t *testing.T) {
	emu.Use(t)
	t.Logf("driver: %s", os.Getenv(cuda.DriverVariable))
}
