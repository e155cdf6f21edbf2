package kernel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Team is goroutines that work on one image together: an operation falls into parts, the first of which its caller
// takes and each helper the one of its number, so that what a part reads lies in the cache of the core that wrote it.
// It hands out the work of one operation at a time. A nil Team is its caller alone.
//
// Helpers wait for work by looking for it, since the next operation of a network comes within microseconds, and go to
// sleep when none came for some time. The caller never waits for a helper to wake: when its own part is done it takes
// those that nobody has begun. Between End and the next Start they look for it for a moment, too, since a goroutine
// that has to be started again comes some 100 µs late, the time of the first operation.
type Team struct {
	size int
	// state is the round in the upper half, and a bit for each part of its work that nobody has taken.
	state atomic.Uint64
	_     [56]byte // of a cache line of their own, since helpers read it all the time
	done  atomic.Int32
	fault atomic.Pointer[any] // what a helper's part panicked with
	work  divided

	busy   atomic.Bool   // from Start to End
	here   []atomic.Bool // which helpers have a goroutine
	asleep atomic.Int32
	wake   chan struct{}

	conv    convWork
	bf      bfWork
	chain   chainWork
	bfChain bfChainWork
	right   rightWork
}

// divided is work that falls into parts, which may be done in any order and at the same time.
type divided interface{ do(part int) }

const (
	maxTeam     = 32      // goroutines, and parts
	teamSpins   = 1 << 12 // looks for work, of some tens of nanoseconds each, before a helper sleeps
	teamYields  = 1 << 7  // looks after which a waiting goroutine lets others run
	teamNothing = 16      // steps of a look

	teamStay = time.Millisecond // how long helpers look for the next Start before their goroutines end
)

// NewTeam returns a team of so many goroutines, its caller among them; nil for fewer than two.
func NewTeam(size int) *Team {
	if size < 2 {
		return nil
	}
	size = min(size, maxTeam)
	return &Team{size: size, here: make([]atomic.Bool, size), wake: make(chan struct{}, size)}
}

// Size is how many goroutines work together, 1 for a nil Team.
func (t *Team) Size() int {
	if t == nil {
		return 1
	}
	return t.size
}

// Start begins the helpers' work; without them the caller does all of it. End must follow before the next Start.
func (t *Team) Start() {
	if t == nil {
		return
	}
	t.busy.Store(true)
	for part := 1; part < t.size; part++ {
		if t.here[part].CompareAndSwap(false, true) {
			go t.help(part)
		}
	}
}

// End says that no work comes for some time. Helpers without any soon end by themselves.
func (t *Team) End() {
	if t == nil {
		return
	}
	t.busy.Store(false)
	t.rouse(t.size)
}

// run does the parts of some work and returns when all are done.
func (t *Team) run(w divided, parts int) {
	if t == nil || parts < 2 {
		for i := range parts {
			w.do(i)
		}
		return
	}
	t.work = w
	t.done.Store(0)
	round := t.state.Load()>>32 + 1
	t.state.Store(round<<32 | (1<<parts - 1))
	t.rouse(t.size)
	for part := range parts {
		t.one(part)
	}
	for i := 1; t.done.Load() < int32(parts); i++ {
		linger(i)
	}
	t.work = nil
	if p := t.fault.Swap(nil); p != nil {
		panic(*p)
	}
}

// one does a part unless somebody has taken it, and reports whether it did.
func (t *Team) one(part int) bool {
	for {
		s := t.state.Load()
		if s>>part&1 == 0 {
			return false
		}
		if t.state.CompareAndSwap(s, s&^(1<<part)) { // the round of s goes on until this part is done
			t.do(part)
			return true
		}
	}
}

// do does a part. A panic is kept for the caller, since on a helper it would end the process.
func (t *Team) do(part int) {
	defer func() {
		if p := recover(); p != nil {
			t.fault.CompareAndSwap(nil, &p)
		}
		t.done.Add(1)
	}()
	t.work.do(part)
}

// rouse wakes at most n helpers that sleep.
func (t *Team) rouse(n int) {
	for range min(n, int(t.asleep.Load())) {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// help does the part of its number, round by round, until no Start follows an End.
func (t *Team) help(part int) {
	for {
		t.attend(part)
		if !t.stay() && t.leave(part) {
			return
		}
	}
}

// attend does the part of its number, round by round, until End.
func (t *Team) attend(part int) {
	for idle := 1; t.busy.Load(); idle++ {
		if t.one(part) {
			idle = 0
			continue
		}
		if idle < teamSpins {
			linger(idle)
			continue
		}
		idle = 0
		t.asleep.Add(1)
		if t.busy.Load() && t.state.Load()>>part&1 == 0 { // nothing came meanwhile
			<-t.wake
		}
		t.asleep.Add(-1)
	}
}

// stay waits for the next Start and reports whether it came in time. Where goroutines have no processors of their own
// it does not wait.
func (t *Team) stay() bool {
	if t.size > runtime.GOMAXPROCS(0) {
		return t.busy.Load()
	}
	start := time.Now()
	for i := 1; !t.busy.Load(); i++ {
		if linger(i); i%teamYields == 0 && time.Since(start) > teamStay {
			return t.busy.Load()
		}
	}
	return true
}

// leave gives up a helper's goroutine, unless Start has come and found it still there.
func (t *Team) leave(part int) bool {
	t.here[part].Store(false)
	return !t.busy.Load() || !t.here[part].CompareAndSwap(false, true)
}

// linger passes a moment of waiting, the i-th.
func linger(i int) {
	if i%teamYields == 0 {
		runtime.Gosched()
		return
	}
	for range teamNothing {
		idleStep()
	}
}

//go:noinline
func idleStep() {}

// span is a range [lo, hi).
type span struct{ lo, hi int }

// portion returns part i of n nearly equal ones of a range of total units, in steps of step.
func portion(total, step, i, n int) span {
	steps := (total + step - 1) / step
	return span{min(i*steps/n*step, total), min((i+1)*steps/n*step, total)}
}

func (s span) len() int { return s.hi - s.lo }
