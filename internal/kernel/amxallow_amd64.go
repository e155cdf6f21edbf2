//go:build amd64 && !noasm && !linux

package kernel

// amxAllowed: only Linux is known to grant the state of tiles this way.
func amxAllowed() bool { return false }
