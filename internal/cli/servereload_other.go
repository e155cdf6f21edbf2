//go:build !unix

package cli

import "os"

// reloadSignal returns the signals on which a server reads its files again. This system has none.
func reloadSignal() (signals <-chan os.Signal, stop func()) { return nil, func() {} }
