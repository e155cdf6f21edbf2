package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// cpuid writes a function that runs the instruction of that name. The fields of cpuidArgs are the leaf and then the
// four registers after the instruction.
func cpuid(u unit) {
	u.text("cpuid", "cpuidArgs", "asks the processor about itself.")
	args := u.args()
	u.MOVL(Mem{Base: args}, reg.EAX)
	u.XORL(reg.ECX, reg.ECX)
	u.CPUID()
	for i, r := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		u.MOVL(r, Mem{Base: args, Disp: 4 + 4*i})
	}
	u.RET()
}
