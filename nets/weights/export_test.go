package weights

import "bytes"

// ReadBytes is Read for a file in memory.
func ReadBytes(b []byte) (*StateDict, error) { return read(bytes.NewReader(b), int64(len(b))) }

// Unpickle runs the pickle interpreter alone.
func Unpickle(data []byte) (any, error) { return unpickle(data, persistentLoad) }

const LegacyMagic = "\x80\x02" + legacyMagic
