package kernel

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// counted is work that counts how often each part is done.
type counted struct {
	done  []atomic.Int32
	panic int
}

func (c *counted) do(part int) {
	if part > 0 { // whoever does not wait for the helpers misses some
		time.Sleep(time.Microsecond)
	}
	c.done[part].Add(1)
	if part == c.panic {
		panic("of a part")
	}
}

// TestTeam checks that every part of every round is done once, with helpers, without, and with those that sleep.
func TestTeam(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7} {
		team := NewTeam(size)
		require.Equal(t, size, team.Size())
		for run := range 30 {
			if run%3 > 0 {
				team.Start()
			}
			for round := range 50 {
				parts := 1 + (round+run)%5
				c := counted{done: make([]atomic.Int32, parts), panic: -1}
				team.run(&c, parts)
				for i := range parts {
					require.EqualValues(t, 1, c.done[i].Load(), "part %d of %d", i, parts)
				}
			}
			for i := 0; run == 1 && team != nil && int(team.asleep.Load()) < size-1; i++ { // until the helpers sleep
				runtime.Gosched()
			}
			if run%3 > 0 {
				team.End()
			}
		}
	}
}

// TestTeamPanics checks that a panic of any part reaches the caller once all parts are done, and spoils nothing.
func TestTeamPanics(t *testing.T) {
	team := NewTeam(3)
	team.Start()
	defer team.End()
	for bad := range 4 {
		c := counted{done: make([]atomic.Int32, 4), panic: bad}
		require.PanicsWithValue(t, "of a part", func() { team.run(&c, 4) })
		for i := range c.done {
			require.EqualValues(t, 1, c.done[i].Load())
		}
		c = counted{done: make([]atomic.Int32, 4), panic: -1}
		require.NotPanics(t, func() { team.run(&c, 4) })
	}
}

func TestPortion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, step := rapid.IntRange(0, 100).Draw(t, "total"), rapid.IntRange(1, 9).Draw(t, "step")
		n, at := rapid.IntRange(1, 9).Draw(t, "n"), 0
		for i := range n {
			s := portion(total, step, i, n)
			require.Equal(t, at, s.lo)
			require.True(t, s.hi == total || s.hi%step == 0)
			require.LessOrEqual(t, s.len(), (total/n/step+1)*step+step)
			at = s.hi
		}
		require.Equal(t, total, at)
	})
}

// TestTeamRight compares the bits of a product by a team with those of one goroutine.
func TestTeamRight(t *testing.T) {
	team := NewTeam(3)
	team.Start()
	defer team.End()
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			m, k, n := rapid.IntRange(1, 30).Draw(t, "m"), rapid.IntRange(1, 300).Draw(t, "k"),
				rapid.IntRange(1, 150).Draw(t, "n")
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			a, b, y := randSlice[float32](rng, m*k), randSlice[float32](rng, k*n), randSlice[float32](rng, m*n)
			r := NewRight[float32](k, n)
			r.Pack(b, false)
			add := rapid.Bool().Draw(t, "accumulate")
			want := append([]float32(nil), y...)
			r.Mul(want, a, m, false, add, nans[float32](r.ScratchLen(m)))
			r.MulTeam(team, y, a, m, add, nans[float32](r.TeamScratchLen(team, m)))
			requireBits(t, want, y, "%d×%d×%d", m, k, n)
		})
	})
}

// TestTeamStays checks that helpers of one Start work for the next, that there are never more goroutines than helpers,
// however long after End the next Start comes, and that all end where none comes.
func TestTeamStays(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	team := NewTeam(2)
	gone := func() bool { return !team.here[1].Load() }
	team.Start()
	require.False(t, gone()) // behind End the helper may go at any time
	team.End()
	require.Eventually(t, gone, 10*time.Second, time.Millisecond)
	require.False(t, team.stay()) // nobody starts
	require.True(t, team.leave(1))

	team.busy.Store(true) // a Start that found the helper leaving: one of both has a goroutine
	team.here[1].Store(true)
	require.False(t, team.leave(1))
	require.True(t, team.here[1].Load())
	team.busy.Store(false)
	team.here[1].Store(false)

	rng := newRand(3)
	before := runtime.NumGoroutine()
	for range 200 {
		team.Start()
		for parts := 1; parts < 4; parts++ {
			c := counted{done: make([]atomic.Int32, parts), panic: -1}
			team.run(&c, parts)
			for i := range parts {
				require.EqualValues(t, 1, c.done[i].Load())
			}
		}
		require.LessOrEqual(t, runtime.NumGoroutine(), before+2, "a helper, and one that is about to end")
		team.End()
		for start, wait := time.Now(), time.Duration(rng.IntN(int(2*teamStay))); time.Since(start) < wait; {
			runtime.Gosched()
		}
	}
	require.Eventually(t, gone, 10*time.Second, time.Millisecond)
}
