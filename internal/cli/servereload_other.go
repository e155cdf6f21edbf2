//go:build !unix

package cli

import "os"

// reloadSignal returns the signals that ask a server to read its files again: this system has none.
func reloadSignal() (signals <-chan os.Signal, stop func()) { return nil, func() {} }
