//go:build amd64 && !noasm

package kernel

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// mobileBlocks are blocks of MobileNetV2 whose expanded maps are one strip, and whether two goroutines share them by
// rows.
var mobileBlocks = []struct {
	c    chainCase
	rows bool
}{
	{chainCase{in: 32, mid: 192, out: 32, h: 28, stride: 1}, true},
	{chainCase{in: 32, mid: 192, out: 64, h: 28, stride: 2}, true},
	{chainCase{in: 64, mid: 384, out: 64, h: 14, stride: 1}, true},
	{chainCase{in: 96, mid: 576, out: 96, h: 14, stride: 1}, true},
	{chainCase{in: 96, mid: 576, out: 160, h: 14, stride: 2}, false},
	{chainCase{in: 160, mid: 960, out: 160, h: 7, stride: 1}, false},
	{chainCase{in: 160, mid: 960, out: 320, h: 7, stride: 1}, false},
}

// mobileBlock returns a block's chain for a second-level cache of 2 MiB.
func mobileBlock(t *testing.T, c chainCase) (chain *Chain[float32], first, last ConvGeom) {
	c.w, c.k, c.pad, c.inner, c.expand = c.h, 3, 1, Activation{Kind: ActReLU6}, true
	convs := c.convs(t)
	fast := newChain32(convs, 1280<<10)
	require.NotNil(t, fast)
	return &Chain[float32]{convs: convs, fast: fast}, convs[0].g, convs[2].g
}

// TestChainCut: maps of many pixels and few channels are cut into rows, others into channels. More goroutines than rows
// share channels.
func TestChainCut(t *testing.T) {
	if currentLevel() == generic {
		t.Skip("chains are not for generic")
	}
	for _, b := range mobileBlocks {
		chain, _, _ := mobileBlock(t, b.c)
		require.Equal(t, b.rows, chain.fast.(*chain32).cutsRows(2), "%v", b.c)
	}
	chain, _, _ := mobileBlock(t, mobileBlocks[0].c)
	require.False(t, chain.fast.(*chain32).cutsRows(29))
}

// TestChainTeamSpeed logs how much faster two goroutines are than one in blocks of MobileNetV2. It runs only if the
// variable SPEED is set.
func TestChainTeamSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	team := NewTeam(2)
	for _, b := range mobileBlocks {
		chain, first, last := mobileBlock(t, b.c)
		x, y := randSlice[float32](newRand(1), first.InLen()), make([]float32, last.OutLen())
		scratch := make([]float32, max(chain.ScratchLen(), chain.TeamScratchLen(team)))
		one := best(func() { chain.ForwardBatch(y, x, nil, 1, last.OutLen(), first.InLen(), 0, scratch) }, 60)
		team.Start()
		two := best(func() { chain.ForwardTeam(team, y, x, nil, 1, last.OutLen(), first.InLen(), 0, scratch) }, 60)
		team.End()
		fmt.Printf("%d-%d-%d @%d /%d, rows %v: one %5.1f us, two %5.1f us, %.2f times\n", b.c.in, b.c.mid, b.c.out,
			b.c.h, b.c.stride, b.rows, one*1e6, two*1e6, one/two)
	}
}
