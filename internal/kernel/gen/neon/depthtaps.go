package neon

import "fmt"

// Fields of depthTapsArgs, in order.
const (
	tapsDst = iota
	tapsDstRow
	tapsDstChannel
	tapsSrc
	tapsSrcRow
	tapsSrcChannel
	tapsWeights
	tapsBias
	tapsLimits // floor and ceil
	tapsRows
	tapsVectors
	tapsChannels
	tapsOffsets
	tapsCount
)

// depthTapsOf lists, for each kernel, the numbers of weights in the first and in the second kind of columns (see
// depthTaps): 3x3, 5x5 and 7x7 with stride one, then all with stride two.
var depthTapsOf = [][2]int{{3, 0}, {5, 0}, {7, 0}, {2, 1}, {3, 2}, {4, 3}}

func depthTapsName(taps [2]int) string { return fmt.Sprintf("depthTapsNEON_%d_%d", taps[0], taps[1]) }

func depthTapsKernels(f *file) {
	for _, taps := range depthTapsOf {
		depthTaps(f, taps)
	}
}

// depthTaps writes the depthwise convolution of an input that is copied with the zeros of its padding. With stride two
// the copy separates even and odd rows and columns, which makes it a convolution of stride one: every column of weights
// reads rows from some offset on. With stride two there are two kinds of columns: those for even rows, of taps[0]
// weights each, and behind them those for odd rows, of taps[1] weights each. With stride one there are only the former.
//
// A vector of columns is computed for up to seven rows at a time, so that a row that is loaded serves several outputs.
func depthTaps(f *file, taps [2]int) {
	f.text(depthTapsName(taps), "depthTapsArgs",
		fmt.Sprintf("convolves each channel with columns of %d weights, then with columns of %d.", taps[0], taps[1]))
	const dst, src, weights, bias, pitch, pitchOut, rows, left = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7),
		reg(8)
	const row, at, w, off, count, p, q, channels, t = reg(9), reg(10), reg(11), reg(12), reg(13), reg(14), reg(15),
		reg(19), reg(20)
	const x, limit = vec(4), vec(5)
	acc := func(i int) vec { return vec(16 + i) }
	f.load(dst, tapsDst)
	f.load(src, tapsSrc)
	f.load(weights, tapsWeights)
	f.load(bias, tapsBias)
	f.load(pitch, tapsSrcRow)
	f.load(pitchOut, tapsDstRow)
	f.load(channels, tapsChannels)
	f.place("channel")
	f.load(left, tapsVectors)
	f.place("vector") // the last vector comes first, because it is written beyond the end of its row
	f.op("SUB $1, %v, %v", left, left)
	f.op("ADD %v<<4, %v, %v", left, src, row)
	f.op("ADD %v<<4, %v, %v", left, dst, at)
	f.load(rows, tapsRows)
	for _, n := range []int{7, 4, 2, 1} {
		again, done := fmt.Sprintf("rows%d", n), fmt.Sprintf("end%d", n)
		f.place(again)
		f.op("CMP $%d, %v", n, rows)
		f.op("BLT %s", done)
		for i := range n {
			f.zero(acc(i))
		}
		f.op("MOVD %v, %v", weights, w)
		f.load(off, tapsOffsets)
		for part, high := range taps {
			if high == 0 {
				continue
			}
			// Two rows at a time, one from each half of the block, because these add to different outputs.
			all := n + high - 1
			half := (all + 1) / 2
			f.load(count, tapsCount)
			column := fmt.Sprintf("column%dof%d", part, n)
			f.place(column)
			f.op("MOVD.P 8(%v), %v", off, p)
			f.op("ADD %v, %v, %v", row, p, p)
			f.op("MOVD $%d, %v", half, q)
			f.op("MADD %v, %v, %v, %v", pitch, p, q, q)
			lane := f.tileWeights(w, t, high, 0)
			for i := range half {
				for _, r := range []struct {
					from reg
					y    int
				}{{p, i}, {q, half + i}} {
					if r.y >= all {
						continue
					}
					f.loadAt(x, r.from, 0)
					for o := range n {
						if kh := r.y - o; kh >= 0 && kh < high {
							v, l := lane(kh)
							f.fmlaLane(acc(o), x, v, l)
						}
					}
				}
				if i+1 < half {
					f.op("ADD %v, %v, %v", pitch, p, p)
					f.op("ADD %v, %v, %v", pitch, q, q)
				}
			}
			f.op("ADD $%d, %v, %v", 4*high, w, w)
			f.op("SUBS $1, %v, %v", count, count)
			f.op("BNE %s", column)
		}
		f.broadcastAt(limit, bias)
		for i := range n {
			f.three(opFAdd, acc(i), acc(i), limit)
		}
		f.op("ADD $%d, R0, %v", 8*tapsLimits, t)
		f.broadcastAt(limit, t)
		for i := range n {
			f.most(acc(i), limit, x)
		}
		f.op("ADD $4, %v, %v", t, t)
		f.broadcastAt(limit, t)
		for i := range n {
			f.least(acc(i), limit, x)
			f.storeAt(acc(i), at, 0)
			f.op("ADD %v, %v, %v", pitchOut, at, at)
			f.op("ADD %v, %v, %v", pitch, row, row)
		}
		f.op("SUBS $%d, %v, %v", n, rows, rows)
		f.op("BNE %s", again)
		f.place(done)
	}
	f.op("CBNZ %v, vector", left)
	for _, r := range []struct {
		r     reg
		field int
	}{{src, tapsSrcChannel}, {dst, tapsDstChannel}} {
		f.load(t, r.field)
		f.op("ADD %v, %v, %v", t, r.r, r.r)
	}
	size := (taps[0] + taps[1]) * (taps[0] + taps[1])
	f.op("ADD $%d, %v, %v", 4*size, weights, weights)
	f.op("ADD $4, %v, %v", bias, bias)
	f.op("SUBS $1, %v, %v", channels, channels)
	f.op("BNE channel")
	f.ret()
}
