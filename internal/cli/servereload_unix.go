//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// reloadSignal returns the signals on which a server reads its files again.
func reloadSignal() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
