//go:build amd64 && !noasm

package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// lastFirst does parts on one goroutine, the last one first, so that what a part writes beyond its own shows.
func lastFirst(w divided, parts int) {
	for i := parts - 1; i >= 0; i-- {
		w.do(i)
	}
}

// checkTeam compares the bits of an image in parts with those of the whole, however small the parts are.
func checkTeam(t *rapid.T, team *Team, s ConvSpec[float32]) {
	c, err := NewConv(s)
	require.NoError(t, err)
	g := c.g
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	x := randSlice[float32](rng, g.InLen())
	var residual []float32
	if rapid.Bool().Draw(t, "residual") {
		residual = randSlice[float32](rng, g.OutLen())
	}
	parts := rapid.IntRange(1, 4).Draw(t, "parts")
	want := make([]float32, g.OutLen())
	c.Forward(want, x, residual, nans[float32](c.ScratchLen()))
	for _, run := range []func(divided, int){lastFirst, team.run} {
		var mem arena
		y := guarded(&mem, nans[float32](g.OutLen()))
		scratch := alignVector(nans[float32](parts*partLen(c.ScratchLen()) + slackElements))
		src := guarded(&mem, x)
		if c.bf != nil {
			e, ok := c.bf.engine.(bfPartEngine)
			if !ok {
				return
			}
			run(&bfWork{engine: e, io: c.bf.io(y, src, residual, scratch), each: partLen(c.ScratchLen()), parts: parts},
				parts)
			c.bf.activate(y)
		} else {
			e, ok := c.fast.engine.(partEngine)
			require.True(t, ok, "%T", c.fast.engine)
			if _, ok := e.(*thinned); ok {
				parts = 1
			}
			if st, ok := e.(*stacked); ok {
				if _, ok := st.alone.(*thinned); ok {
					parts = 1
				}
			}
			io := c.fast.io(scratch)
			io.dst, io.src, io.residual = y, src, residual
			run(&convWork{engine: e, io: io, each: partLen(c.fast.scratch), parts: parts}, parts)
		}
		requireBits(t, want, y, "%d parts of %+v", parts, g)
		mem.free()
	}
	y := nans[float32](g.OutLen())
	c.ForwardTeam(team, y, x, residual, 1, 0, 0, 0, nans[float32](c.TeamScratchLen(team)))
	requireBits(t, want, y, "a team, %+v", g)
}

func teamAtLevels(t *testing.T, check func(t *testing.T, team *Team)) {
	team := NewTeam(2)
	team.Start()
	defer team.End()
	for _, name := range Levels()[1:] {
		t.Run(name, func(t *testing.T) {
			restore, err := ForceLevel(name)
			require.NoError(t, err)
			defer restore()
			check(t, team)
		})
	}
}

// TestTeamConv draws convolutions of every kind.
func TestTeamConv(t *testing.T) {
	teamAtLevels(t, func(t *testing.T, team *Team) {
		rapid.Check(t, func(t *rapid.T) {
			rng := newRand(rapid.Uint64().Draw(t, "weights"))
			checkTeam(t, team, drawSpec[float32](t, rng))
		})
	})
}

// TestTeamConvNetworks covers what the shapes of networks choose beyond that: strips, runs of row tiles, both of
// Winograd's transforms and depthwise kernels.
func TestTeamConvNetworks(t *testing.T) {
	teamAtLevels(t, func(t *testing.T, team *Team) {
		rapid.Check(t, func(t *rapid.T) {
			g := rapid.SampledFrom([]ConvGeom{
				{C: 24, O: 48, H: 32, W: 32, KH: 1, KW: 1}, {C: 130, O: 200, H: 7, W: 7, KH: 1, KW: 1},
				{C: 48, O: 12, H: 32, W: 32, KH: 3, KW: 3}, {C: 48, O: 12, H: 16, W: 16, KH: 3, KW: 3},
				{C: 48, O: 32, H: 9, W: 13, KH: 3, KW: 3}, {C: 3, O: 32, H: 40, W: 40, KH: 3, KW: 3, SH: 2, SW: 2},
				{C: 66, O: 70, H: 28, W: 28, KH: 3, KW: 3}, {C: 66, O: 70, H: 14, W: 14, KH: 3, KW: 3},
				{C: 70, O: 70, H: 14, W: 14, KH: 3, KW: 3, SH: 2, SW: 2}, {C: 40, O: 80, H: 1, W: 1, KH: 1, KW: 1},
				{C: 10, O: 10, Groups: 10, H: 9, W: 11, KH: 3, KW: 3},
				{C: 9, O: 9, Groups: 9, H: 9, W: 13, KH: 5, KW: 5},
				{C: 10, O: 10, Groups: 10, H: 9, W: 11, KH: 3, KW: 3, SH: 2, SW: 2},
			}).Draw(t, "geometry")
			g.PH, g.PW = g.KH/2, g.KW/2
			rng := newRand(rapid.Uint64().Draw(t, "weights"))
			s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()),
				PostShift: randSlice[float32](rng, g.O), Post: drawPost(t)}
			if rapid.Bool().Draw(t, "pre") {
				s.PreScale, s.PreShift, s.PreReLU = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C), true
			}
			checkTeam(t, team, s)
		})
	})
}

// TestTeamBFloat16 does so in bfloat16, at each way that the processor has.
func TestTeamBFloat16(t *testing.T) {
	team := NewTeam(2)
	team.Start()
	defer team.End()
	for _, name := range BFloat16Levels()[1:] {
		restore, err := ForceBFloat16(name)
		require.NoError(t, err)
		rapid.Check(t, func(t *rapid.T) {
			k := rapid.SampledFrom([]int{1, 3, 5}).Draw(t, "kernel")
			g := ConvGeom{C: rapid.IntRange(8, 50).Draw(t, "C"), O: rapid.IntRange(1, 60).Draw(t, "O"),
				H: rapid.IntRange(k, 20).Draw(t, "H"), W: rapid.IntRange(k, 20).Draw(t, "W"), KH: k, KW: k,
				SH: rapid.IntRange(1, 2).Draw(t, "SH"), PH: k / 2, PW: k / 2}
			g.SW = g.SH
			rng := newRand(rapid.Uint64().Draw(t, "weights"))
			checkTeam(t, team, ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()),
				PostShift: randSlice[float32](rng, g.O), Post: drawPost(t), BFloat16: true})
		})
		restore()
	}
}
