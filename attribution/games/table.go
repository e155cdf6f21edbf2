package games

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// Table is a game given by the values of all its coalitions.
type Table struct {
	players int
	values  []float64
}

// NewTable returns the game of n players whose coalition S has the value values[Σ_{i∈S} 2^i]. It keeps the slice. It
// returns an error when the number of values is not 2^n with 1 <= n <= 20, or a value is not finite.
func NewTable(values []float64) (*Table, error) {
	n := bits.Len(uint(len(values))) - 1
	if n < 1 || n > attribution.MaxEnumerated || len(values) != 1<<n {
		return nil, fmt.Errorf("attribution: table: expected 2^n values with n from 1 to %d, got %d",
			attribution.MaxEnumerated, len(values))
	}
	if i := mathx.FirstNotFinite(values); i >= 0 {
		return nil, fmt.Errorf("%w: coalition %b has %v", attribution.ErrNotFinite, i, values[i])
	}
	return &Table{players: n, values: values}, nil
}

// Players implements [attribution.Game].
func (t *Table) Players() int { return t.players }

// Values implements [attribution.Game].
func (t *Table) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for r := range s.Len() {
		dst[r] = t.values[s.Row(r)[0]]
	}
	return nil
}

// Func returns a game of the given number of players whose value is a function of the coalition. The function may be
// called by several goroutines at once, and must not keep the coalition.
func Func(players int, value func(attribution.Coalition) float64) attribution.Game {
	return funcGame{players, value}
}

type funcGame struct {
	players int
	value   func(attribution.Coalition) float64
}

func (g funcGame) Players() int { return g.players }

func (g funcGame) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	for r := range s.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		dst[r] = g.value(s.Row(r))
	}
	return nil
}
