package graph

// walk goes through an array in row-major order, one run of neighbouring elements at a time, and gives the positions of
// the same elements in other arrays, which may repeat along some axes.
type walk struct {
	run    int   // number of elements of a run
	step   []int // stride within a run, in each of the other arrays
	outer  []int // lengths of the axes outside of the runs
	stride [][]int
	at     []int // position of the run's first element in each of the other arrays
	count  []int
}

// newWalk returns a walk through an array with the given axes. strides holds, for each other array, its strides along
// these axes.
func newWalk(axes []int, strides ...[]int) *walk {
	w := &walk{at: make([]int, len(strides))}
	for i, n := range axes {
		if n == 1 {
			continue
		}
		own := make([]int, len(strides))
		joins := len(w.outer) > 0
		for j, s := range strides {
			own[j] = s[i]
			joins = joins && w.stride[len(w.outer)-1][j] == n*s[i]
		}
		if last := len(w.outer) - 1; joins {
			w.outer[last], w.stride[last] = w.outer[last]*n, own
			continue
		}
		w.outer, w.stride = append(w.outer, n), append(w.stride, own)
	}
	w.run, w.step = 1, make([]int, len(strides))
	if last := len(w.outer) - 1; last >= 0 {
		w.run, w.step = w.outer[last], w.stride[last]
		w.outer, w.stride = w.outer[:last], w.stride[:last]
	}
	w.count = make([]int, len(w.outer))
	return w
}

// start goes to the first run.
func (w *walk) start() {
	clear(w.at)
	clear(w.count)
}

// next goes to the next run, and tells whether there is one.
func (w *walk) next() bool {
	for i := len(w.outer) - 1; i >= 0; i-- {
		stride := w.stride[i]
		for j, s := range stride {
			w.at[j] += s
		}
		if w.count[i]++; w.count[i] < w.outer[i] {
			return true
		}
		w.count[i] = 0
		for j, s := range stride {
			w.at[j] -= w.outer[i] * s
		}
	}
	return false
}
