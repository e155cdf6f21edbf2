package neon

import "fmt"

// values is straight-line code on vectors whose registers are chosen when it is written: every instruction makes a new
// value, and a register is free again behind the last use of its value.
type values struct {
	code  []instruction
	fixed map[value]vec // values that the caller put into registers, which stay theirs
}

// value is the number of a value.
type value int

// instruction makes dst. emit writes it for the registers of dst and of its sources. Unless apart is set, the register
// of dst may be that of a source.
type instruction struct {
	dst     value
	sources []value
	apart   bool
	emit    func(f *file, dst vec, src []vec)
}

// given returns a value that is in a register.
func (s *values) given(v vec) value {
	n := s.next()
	s.fixed[n] = v
	return n
}

func (s *values) next() value { return value(len(s.code) + len(s.fixed)) }

func (s *values) add(apart bool, emit func(f *file, dst vec, src []vec), sources ...value) value {
	n := s.next()
	s.code = append(s.code, instruction{n, sources, apart, emit})
	return n
}

// three is the value n op m.
func (s *values) three(op uint32, n, m value) value {
	return s.add(false, func(f *file, dst vec, src []vec) { f.three(op, dst, src[0], src[1]) }, n, m)
}

// two is the value op n.
func (s *values) two(op uint32, n value) value {
	return s.add(false, func(f *file, dst vec, src []vec) { f.two(op, dst, src[0]) }, n)
}

// shift is the value of an instruction that shifts each lane.
func (s *values) shift(format string, n value) value {
	return s.add(false, func(f *file, dst vec, src []vec) { f.op(format, src[0].s4(), dst.s4()) }, n)
}

// integers is the value n + m or n - m of 32-bit integers, for the mnemonic VADD or VSUB.
func (s *values) integers(mnemonic string, n, m value) value {
	return s.add(false, func(f *file, dst vec, src []vec) {
		f.op("%s %s, %s, %s", mnemonic, src[1].s4(), src[0].s4(), dst.s4())
	}, n, m)
}

// choose is the value yes where mask has ones, and no where it has zeros.
func (s *values) choose(mask, yes, no value) value {
	return s.add(true, func(f *file, dst vec, src []vec) {
		f.move(src[0], dst)
		f.three(opBsl, dst, src[1], src[2])
	}, mask, yes, no)
}

// write writes the code with the registers in free, and returns the register of result.
func (s *values) write(f *file, free []vec, result value) (vec, error) {
	last := map[value]int{result: len(s.code)}
	for i, in := range s.code {
		for _, v := range in.sources {
			last[v] = max(last[v], i)
		}
	}
	place := map[value]vec{}
	for v, r := range s.fixed {
		place[v] = r
	}
	for i, in := range s.code {
		if last[in.dst] == 0 {
			continue // never used
		}
		var src []vec
		for _, v := range in.sources {
			src = append(src, place[v])
		}
		release := func() {
			for j, v := range in.sources {
				if _, ok := s.fixed[v]; !ok && last[v] == i && !seen(in.sources[:j], v) {
					free = append(free, place[v])
				}
			}
		}
		if !in.apart {
			release()
		}
		if len(free) == 0 {
			return 0, fmt.Errorf("%d instructions need more registers than there are", len(s.code))
		}
		r := free[len(free)-1]
		free = free[:len(free)-1]
		if in.apart {
			release()
		}
		place[in.dst] = r
		in.emit(f, r, src)
	}
	return place[result], nil
}

func seen(all []value, v value) bool {
	for _, o := range all {
		if o == v {
			return true
		}
	}
	return false
}
