package weights

import "bytes"

// ReadBytes is Read for a file in memory.
func ReadBytes(b []byte) (*StateDict, error) { return read(bytes.NewReader(b), int64(len(b))) }

// Unpickle is the bare pickle interpreter.
var Unpickle = unpickle
