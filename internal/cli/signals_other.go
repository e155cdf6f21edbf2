//go:build js || wasip1 || plan9

package cli

import "os"

// endingSignals end a command in good order.
var endingSignals = []os.Signal{os.Interrupt}

func isHangup(os.Signal) bool { return false }
