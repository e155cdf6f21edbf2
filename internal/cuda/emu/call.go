//go:build linux && (amd64 || arm64) && !nocuda

package emu

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

func (c *Card) callBytes(name string, text []byte, a, b uintptr) {
	f, err := purego.Dlsym(c.lib, name)
	if err != nil {
		c.t.Fatalf("emulated driver: %v", err)
	}
	purego.SyscallN(f, uintptr(unsafe.Pointer(&text[0])), a, b)
}

func (c *Card) callInts(name string, v *[11]int64) {
	f, err := purego.Dlsym(c.lib, name)
	if err != nil {
		c.t.Fatalf("emulated driver: %v", err)
	}
	purego.SyscallN(f, uintptr(unsafe.Pointer(v)))
}
