package neon

// Fields of streamArgs, in order.
const (
	streamDst = iota
	streamA
	streamB
	streamC
	streamN
	_
	streamS
	streamT
	streamFloor
	streamM
)

// streamOp is an elementwise operation. It leaves its result in in[0]. in holds one vector of each input, k the
// broadcast constants, t registers that it may overwrite.
type streamOp struct {
	name, doc string
	inputs    []int // as fields of streamArgs
	constants []int // as fields of streamArgs
	op        func(f *file, in, k, t []vec)
}

// both is an operation of one instruction on in[0] and in[1].
func both(code uint32) func(f *file, in, k, t []vec) {
	return func(f *file, in, k, t []vec) { f.three(code, in[0], in[0], in[1]) }
}

// with is an operation of one instruction on in[0] and k[0].
func with(code uint32) func(f *file, in, k, t []vec) {
	return func(f *file, in, k, t []vec) { f.three(code, in[0], in[0], k[0]) }
}

var streamOps = []streamOp{
	{"add", "dst = a + b", []int{streamA, streamB}, nil, both(opFAdd)},
	{"mul", "dst = a * b", []int{streamA, streamB}, nil, both(opFMul)},
	{"scale", "dst = s * a", []int{streamA}, []int{streamS}, with(opFMul)},
	{"axpy", "dst += s * a", []int{streamDst, streamA}, []int{streamS}, func(f *file, in, k, t []vec) {
		f.three(opFMla, in[0], in[1], k[0])
	}},
	{"affine", "dst = max(floor, s*a + t)", []int{streamA}, []int{streamS, streamT, streamFloor},
		func(f *file, in, k, t []vec) {
			f.move(k[1], t[0])
			f.three(opFMla, t[0], in[0], k[0])
			f.move(t[0], in[0])
			f.most(in[0], k[2], t[1])
		}},
	{"atLeast", "dst = max(floor, a)", []int{streamA}, []int{streamFloor}, func(f *file, in, k, t []vec) {
		f.most(in[0], k[0], t[0])
	}},
	{"atMost", "dst = min(b, a)", []int{streamA, streamB}, nil, func(f *file, in, k, t []vec) {
		f.least(in[0], in[1], t[0])
	}},
	{"atMost1", "dst = min(s, a)", []int{streamA}, []int{streamS}, func(f *file, in, k, t []vec) {
		f.least(in[0], k[0], t[0])
	}},
	{"larger", "dst = max(a, b), NaN if either is", []int{streamA, streamB}, nil, func(f *file, in, k, t []vec) {
		f.extreme(in[0], in[1], in[0], in[1], t)
	}},
	{"whereAtMost", "dst = a where c <= b, zero elsewhere", []int{streamA, streamB, streamC}, nil,
		func(f *file, in, k, t []vec) {
			f.three(opFCmGe, t[0], in[1], in[2])
			f.three(opAnd, in[0], in[0], t[0])
		}},
	{"whereAtMost1", "dst = a where c <= s, zero elsewhere", []int{streamA, streamC}, []int{streamS},
		func(f *file, in, k, t []vec) {
			f.three(opFCmGe, t[0], k[0], in[1])
			f.three(opAnd, in[0], in[0], t[0])
		}},
	{"mix", "dst = b where a is s, c where a is t, c + a*(b-c) elsewhere, each step rounded",
		[]int{streamA, streamB, streamC}, []int{streamS, streamT}, func(f *file, in, k, t []vec) {
			m, p, r, y := in[0], in[1], in[2], t[0]
			f.three(opFSub, y, p, r)
			f.three(opFMul, y, m, y)
			f.three(opFAdd, y, r, y)
			for i, from := range []vec{p, r} {
				f.three(opFCmEq, t[1], m, k[i])
				f.three(opBit, y, from, t[1])
			}
			f.move(y, in[0])
		}},
	{"normBack", "dst = s*a + (t*(b-m) + floor)", []int{streamA, streamB}, []int{streamS, streamT, streamM,
		streamFloor},
		func(f *file, in, k, t []vec) {
			f.three(opFSub, in[1], in[1], k[2])
			f.move(k[3], t[0])
			f.three(opFMla, t[0], in[1], k[1])
			f.three(opFMla, t[0], in[0], k[0])
			f.move(t[0], in[0])
		}},
}

// pairOps are operations of two arrays, or of an array and a number.
var pairOps = []streamOp{
	{"sub", "dst = a - b", []int{streamA, streamB}, nil, both(opFSub)},
	{"div", "dst = a / b", []int{streamA, streamB}, nil, both(opFDiv)},
	{"divBy", "dst = a / s", []int{streamA}, []int{streamS}, with(opFDiv)},
	{"over", "dst = s / a", []int{streamA}, []int{streamS}, func(f *file, in, k, t []vec) {
		f.three(opFDiv, in[0], k[0], in[0])
	}},
	{"smaller", "dst = min(a, b), NaN if either is", []int{streamA, streamB}, nil, func(f *file, in, k, t []vec) {
		f.extreme(in[0], in[1], in[1], in[0], t)
	}},
}

// extreme leaves a in a where a is NaN or x > y, and b elsewhere.
func (f *file) extreme(a, b, x, y vec, t []vec) {
	f.three(opFCmGt, t[0], x, y)
	f.three(opFCmEq, t[1], a, a)
	f.three(opOrn, t[0], t[0], t[1])
	f.three(opBif, a, b, t[0])
}

func streams(f *file) {
	for _, op := range append(append([]streamOp{}, streamOps...), pairOps...) {
		stream(f, op)
	}
}

// stream writes a loop over eight elements at a time, one step of four and one of what is left.
func stream(f *file, op streamOp) {
	f.text(op.name+"NEON", "streamArgs", "computes "+op.doc+".")
	const dst, n, scratch = reg(1), reg(6), reg(7)
	f.load(dst, streamDst)
	var in []reg
	for i, field := range op.inputs {
		in = append(in, reg(2+i))
		f.load(in[i], field)
	}
	var k []vec
	for i, field := range op.constants {
		k = append(k, vec(28+i))
		f.broadcast(k[i], field, scratch)
	}
	f.load(n, streamN)
	temporary := []vec{24, 25, 26}
	// operands returns the vectors of all inputs for the step of the given number.
	operands := func(step int) []vec {
		var v []vec
		for i := range in {
			v = append(v, vec(2*i+step))
		}
		return v
	}
	f.op("SUBS $8, %v, %v", n, n)
	f.op("BLT short")
	f.place("whole")
	for i, r := range in {
		f.loadNext(r, vec(2*i), vec(2*i+1))
	}
	op.op(f, operands(0), k, temporary)
	op.op(f, operands(1), k, temporary)
	f.storeNext(dst, 0, 1)
	f.op("SUBS $8, %v, %v", n, n)
	f.op("BGE whole")
	f.place("short")
	f.op("TBZ $2, %v, tail", n)
	for i, r := range in {
		f.loadNext(r, vec(2*i))
	}
	op.op(f, operands(0), k, temporary)
	f.storeNext(dst, 0)
	f.place("tail")
	f.op("ANDS $3, %v, %v", n, n)
	f.op("BEQ done")
	for i, r := range in {
		f.loadPart(vec(2*i), r, n, scratch)
	}
	op.op(f, operands(0), k, temporary)
	f.storePart(0, dst, n, scratch)
	f.place("done")
	f.ret()
}
