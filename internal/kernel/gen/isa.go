package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is a vector instruction set.
type isa struct {
	name  string
	bytes int // size of a vector
	rows  int // largest number of rows of a register tile that is two vectors wide
	// dotRows and dotCols are the largest numbers of rows and columns of a tile of dot products.
	dotRows, dotCols int
}

var (
	avx512 = isa{"AVX512", 64, 12, 6, 4}
	avx2   = isa{"AVX2", 32, 6, 3, 2}
)

func (s isa) vec(u unit) reg.VecVirtual {
	if s.bytes == 64 {
		return u.ZMM()
	}
	return u.YMM()
}

func (s isa) vecs(u unit, n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = s.vec(u)
	}
	return v
}

func (s isa) zero(u unit, v reg.VecVirtual) {
	if s.bytes == 64 {
		u.VPXORD(v, v, v)
	} else {
		u.VXORPS(v, v, v)
	}
}

// field is element i of a struct of eight-byte fields.
func field(args reg.Register, i int) Mem { return Mem{Base: args, Disp: 8 * i} }

// load64 loads field i into a fresh register.
func (u unit) load64(args reg.Register, i int) reg.GPVirtual {
	r := u.GP64()
	u.MOVQ(field(args, i), r)
	return r
}

func (u unit) args() reg.Register { return u.Load(u.Param("args"), u.GP64()) }
