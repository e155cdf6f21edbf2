package eval

import "time"

// SetMade sets the time at which an extractor was made.
func SetMade(x *Extractor, at time.Time) { x.made = at }

// Digest is the digest of kept features.
var Digest = digest
