//go:build js || wasip1 || plan9

package cli

import "os"

// endingSignals are the signals that interrupt a command.
var endingSignals = []os.Signal{os.Interrupt}

func isHangup(os.Signal) bool { return false }
