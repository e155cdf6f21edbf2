//go:build amd64 && !noasm && !linux

package kernel

// amxAllowed returns false: a process must ask the operating system before it may use AMX, and this code asks only
// Linux.
func amxAllowed() bool { return false }
