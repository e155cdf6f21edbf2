//go:build (!amd64 && !arm64) || noasm

package kernel

func detect() []level { return []level{generic} }
