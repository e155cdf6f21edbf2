package main

import (
	"encoding/binary"
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The assembler knows neither AMX nor AVX512_BF16, so their instructions are written as bytes. Their registers must be
// physical ones, because the register allocator does not see the registers in bytes.

// Opcode prefixes as VEX and EVEX encode them.
const (
	prefixNone = iota
	prefix66
	prefixF3
	prefixF2
)

// code is an encoded instruction, with the text that a disassembler prints for it.
type code struct {
	text  string
	bytes []byte
}

// encoded writes an instruction as bytes, with its text as a comment.
func (u unit) encoded(c code) {
	u.Comment(c.text)
	for b := c.bytes; len(b) > 0; {
		in, n := &ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(b[0])}}, 1
		if len(b) >= 4 {
			in, n = &ir.Instruction{Opcode: "LONG", Operands: []Op{U32(binary.LittleEndian.Uint32(b))}}, 4
		}
		u.Instruction(in)
		b = b[n:]
	}
}

// number returns the number of a general register in encodings.
func number(r reg.Register) byte {
	for i, p := range []reg.Register{reg.RAX, reg.RCX, reg.RDX, reg.RBX, reg.RSP, reg.RBP, reg.RSI, reg.RDI, reg.R8,
		reg.R9, reg.R10,
		reg.R11, reg.R12, reg.R13, reg.R14, reg.R15} {
		if p == r {
			return byte(i)
		}
	}
	panic(fmt.Sprintf("gen: %v is no general register", r))
}

var registerNames = [...]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
	"r13", "r14", "r15"}

// vex returns a three-byte VEX prefix for the opcode map 0F38 and W0. It holds the high bits of ModRM's fields.
func vex(prefix, reg, index, base, v byte) []byte {
	return []byte{0xc4, (^reg>>3&1)<<7 | (^index>>3&1)<<6 | (^base>>3&1)<<5 | 2, (^v&15)<<3 | prefix}
}

// tileMemory encodes an instruction on a tile and on rows in memory at base + disp, stride bytes apart.
func tileMemory(name string, prefix byte, tile int, base, stride reg.Register, disp int32) code {
	b, i := number(base), number(stride)
	c := append(vex(prefix, byte(tile), i, b, 0), 0x4b, 2<<6|byte(tile)<<3|4, i&7<<3|b&7)
	at := fmt.Sprintf("[%s+%s*1+0x%x]", registerNames[b], registerNames[i], disp)
	text := fmt.Sprintf("%s tmm%d,%s", name, tile, at)
	if prefix == prefixF3 {
		text = fmt.Sprintf("%s %s,tmm%d", name, at, tile)
	}
	return code{text, binary.LittleEndian.AppendUint32(c, uint32(disp))}
}

func tileLoad(tile int, base, stride reg.Register, disp int32) code {
	return tileMemory("tileloadd", prefixF2, tile, base, stride, disp)
}

func tileStore(tile int, base, stride reg.Register, disp int32) code {
	return tileMemory("tilestored", prefixF3, tile, base, stride, disp)
}

// tileConfig encodes the instruction that loads a configuration of the tiles.
func tileConfig(at reg.Register) code {
	b := number(at)
	return code{fmt.Sprintf("ldtilecfg [%s+0x0]", registerNames[b]), append(vex(prefixNone, 0, 0, b, 0), 0x49, 1<<6|b&7,
		0)}
}

func tileRelease() code {
	return code{"tilerelease", append(vex(prefixNone, 0, 0, 0, 0), 0x49, 0xc0)}
}

func tileZero(tile int) code {
	return code{fmt.Sprintf("tilezero tmm%d", tile), append(vex(prefixF2, byte(tile), 0, 0, 0), 0x49,
		0xc0|byte(tile)<<3)}
}

// tileDot encodes c += a · b, where a has pairs along its rows and b along its columns.
func tileDot(c, a, b int) code {
	return code{fmt.Sprintf("tdpbf16ps tmm%d,tmm%d,tmm%d", c, a, b), append(vex(prefixF3, byte(c), 0, 0, byte(b)), 0x5c,
		0xc0|byte(c)<<3|byte(a))}
}

// evex encodes an instruction on three vectors of 512 bits, from the opcode map 0F38 with W0.
func evex(name string, prefix, opcode byte, dst, v, rm int) code {
	d, s, r := byte(dst), byte(v), byte(rm)
	return code{fmt.Sprintf("%s zmm%d,zmm%d,zmm%d", name, dst, v, rm), []byte{
		0x62, (^d>>3&1)<<7 | (^r>>4&1)<<6 | (^r>>3&1)<<5 | (^d>>4&1)<<4 | 2, (^s&15)<<3 | 4 | prefix,
		2<<5 | (^s>>4&1)<<3,
		opcode, 3<<6 | d&7<<3 | r&7,
	}}
}

// dotPairs encodes the addition to acc of the products of the pairs of a and b, the odd elements first.
func dotPairs(acc, a, b int) code { return evex("vdpbf16ps", prefixF3, 0x52, acc, a, b) }

// roundPairs encodes the rounding of two vectors to the two halves of one.
func roundPairs(dst, high, low int) code {
	return evex("vcvtne2ps2bf16", prefixF2, 0x72, dst, high, low)
}
