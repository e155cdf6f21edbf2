package eval

import "time"

// SetMade says when an extractor was made.
func SetMade(x *Extractor, at time.Time) { x.made = at }

// Digest binds kept features to what they were made from.
var Digest = digest
