//go:build !js && !wasip1 && !plan9

package cli

import (
	"os"
	"syscall"
)

// endingSignals are the signals that interrupt a command.
var endingSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func isHangup(s os.Signal) bool { return s == syscall.SIGHUP }
