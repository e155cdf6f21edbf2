package attribution

import (
	"fmt"
	"math/bits"
)

// Coalition is a set of players as a bitset: player i is bit i%64 of word i/64. Bits past the last player are zero.
type Coalition []uint64

// coalitionWords is the number of 64-bit words of a coalition over the given number of players.
func coalitionWords(players int) int { return (players + 63) / 64 }

// NewCoalition returns the empty coalition over the given number of players.
func NewCoalition(players int) Coalition { return make(Coalition, coalitionWords(players)) }

// Has reports whether player i is in the coalition.
func (c Coalition) Has(i int) bool { return c[i>>6]>>(uint(i)&63)&1 != 0 }

// Add puts player i into the coalition.
func (c Coalition) Add(i int) { c[i>>6] |= 1 << (uint(i) & 63) }

// Remove takes player i out of the coalition.
func (c Coalition) Remove(i int) { c[i>>6] &^= 1 << (uint(i) & 63) }

// Toggle adds player i when it is absent and removes it when it is present.
func (c Coalition) Toggle(i int) { c[i>>6] ^= 1 << (uint(i) & 63) }

// Clear empties the coalition.
func (c Coalition) Clear() { clear(c) }

// Fill makes the coalition the grand coalition of players 0 to players-1.
func (c Coalition) Fill(players int) {
	for w := range c {
		c[w] = ^uint64(0)
	}
	if r := uint(players) & 63; r != 0 {
		c[len(c)-1] = 1<<r - 1
	}
}

// Complement makes c the players that are not in s. Both are over the given number of players.
func (c Coalition) Complement(s Coalition, players int) {
	c.Fill(players)
	for w := range c {
		c[w] &^= s[w]
	}
}

// Size is the number of players in the coalition.
func (c Coalition) Size() int {
	n := 0
	for _, w := range c {
		n += bits.OnesCount64(w)
	}
	return n
}

// AppendMembers appends the coalition's players in ascending order.
func (c Coalition) AppendMembers(dst []int) []int {
	for w, word := range c {
		for ; word != 0; word &= word - 1 {
			dst = append(dst, w<<6+bits.TrailingZeros64(word))
		}
	}
	return dst
}

// Coalitions is a batch of coalitions over the same players, one a row.
// Copies share their rows.
type Coalitions struct {
	players, rows, words int
	bits                 []uint64
}

// NewCoalitions returns rows empty coalitions over the given number of players. It panics on a negative count.
func NewCoalitions(players, rows int) Coalitions {
	if players < 0 || rows < 0 {
		panic(fmt.Sprintf("attribution: %d coalitions over %d players", rows, players))
	}
	words := coalitionWords(players)
	return Coalitions{players: players, rows: rows, words: words, bits: make([]uint64, rows*words)}
}

// Players is the number of players that the coalitions are drawn from.
func (s Coalitions) Players() int { return s.players }

// Len is the number of coalitions.
func (s Coalitions) Len() int { return s.rows }

// Row returns coalition r. It shares memory with the batch.
func (s Coalitions) Row(r int) Coalition {
	return Coalition(s.bits[r*s.words : (r+1)*s.words : (r+1)*s.words])
}

// Slice returns rows lo to hi-1. It shares memory with the batch.
func (s Coalitions) Slice(lo, hi int) Coalitions {
	s.bits = s.bits[lo*s.words : hi*s.words]
	s.rows = hi - lo
	return s
}

// Append adds the coalitions of a batch over the same players. It panics when the players differ in number.
func (s *Coalitions) Append(more Coalitions) {
	if more.players != s.players {
		panic(fmt.Sprintf("attribution: expected coalitions over %d players, got %d", s.players, more.players))
	}
	s.bits = append(s.bits, more.bits...)
	s.rows += more.rows
}

// Clear empties every coalition.
func (s Coalitions) Clear() { clear(s.bits) }

// Mask writes the batch as zeros and ones, 1 for a player that is present.
//
// Shapes: dst [coalitions, players], row-major; Mask panics on another length.
func (s Coalitions) Mask(dst []float32) {
	if len(dst) != s.rows*s.players {
		panic(fmt.Sprintf("attribution: mask of %d values for %d coalitions over %d players", len(dst), s.rows,
			s.players))
	}
	for r := range s.rows {
		row := dst[r*s.players : (r+1)*s.players]
		for _, word := range s.Row(r) {
			for range 8 {
				if len(row) < 8 {
					copy(row, masks[byte(word)][:])
					row = nil
					break
				}
				*(*[8]float32)(row) = masks[byte(word)]
				row, word = row[8:], word>>8
			}
		}
	}
}

// masks holds the masks of eight players for every byte of a coalition.
var masks = func() (t [256][8]float32) {
	for b := range t {
		for i := range t[b] {
			t[b][i] = float32(b >> i & 1)
		}
	}
	return t
}()
