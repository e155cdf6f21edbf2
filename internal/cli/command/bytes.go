package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is the value of a flag that takes a number of bytes: a whole number, alone or with one of the units KiB, MiB,
// GiB, TiB (powers of 1024), kB, MB, GB and TB (powers of 1000).
type Bytes int64

var byteUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6},
	{"kB", 1e3}, {"B", 1},
}

// String returns the number with the largest unit of 1024 that divides it.
func (b *Bytes) String() string {
	for _, u := range byteUnits[:4] {
		if *b != 0 && int64(*b)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(*b)/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type returns the word for the flag's value in help texts.
func (b *Bytes) Type() string { return "bytes" }

// Set parses a number with or without a unit. The case of the unit's letters does not matter.
func (b *Bytes) Set(text string) error {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range byteUnits {
		if n := len(number) - len(u.name); n > 0 && strings.EqualFold(number[n:], u.name) {
			number, unit = strings.TrimSpace(number[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("expected a number of bytes, as in 512MiB, got %q", text)
	}
	*b = Bytes(n * unit)
	return nil
}
