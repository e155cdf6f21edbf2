//go:build !amd64 || noasm

package kernel

func detectBFloat16() bfLevel { return bfPortable }
