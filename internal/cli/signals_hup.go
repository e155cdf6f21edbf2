//go:build !js && !wasip1 && !plan9

package cli

import (
	"os"
	"syscall"
)

// endingSignals end a command in good order.
var endingSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func isHangup(s os.Signal) bool { return s == syscall.SIGHUP }
