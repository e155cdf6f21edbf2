package weights

import "bytes"

// ReadBytes is Read for a file in memory.
func ReadBytes(b []byte) (*StateDict, error) { return read(bytes.NewReader(b), int64(len(b))) }

// Unpickle is the bare pickle interpreter.
func Unpickle(data []byte) (any, error) { return unpickle(data, persistentLoad) }

const LegacyMagic = "\x80\x02" + legacyMagic
