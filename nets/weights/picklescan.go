package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a pickle. Real checkpoints stay far below them: a network of ten thousand tensors takes about a megabyte.
const (
	maxPickle     = 32 << 20
	maxContainers = 2 << 20 // objects that take much memory for a byte or two of pickle
	maxOps        = 4 << 20 // each may add a value to the stack or to the memo
	maxMarks      = 10_000  // nesting
	maxNumberText = 1000
	maxLong       = 64
)

// argument is the kind of argument that follows an opcode.
type argument uint8

const (
	unknownOp argument = iota
	noArg
	fixed1
	fixed2
	fixed4
	fixed8
	counted1
	counted4
	counted8
	numberLine
	textLine
	twoLines
	frameArg
)

// opcodes holds the opcodes of pickle protocols 0 to 4 that a checkpoint may contain. Extension codes and out-of-band
// buffers are left out, because they refer to things outside of the file.
var opcodes = func() (t [256]argument) {
	for arg, ops := range map[argument]string{
		noArg:      "(.012NQRabde]lost)u}\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94",
		fixed1:     "Khq\x80",
		fixed2:     "M",
		fixed4:     "Jjr",
		fixed8:     "G",
		counted1:   "UC\x8a\x8c",
		counted4:   "BTX\x8b",
		counted8:   "\x8d\x8e\x96",
		numberLine: "FILgp",
		textLine:   "SV",
		twoLines:   "ci",
		frameArg:   "\x95",
	} {
		for i := range len(ops) {
			t[ops[i]] = arg
		}
	}
	return t
}()

var errPickleCut = errors.New("pickle is cut off")

// scanPickle goes through the opcodes of a pickle without interpreting them. It is needed because the unpickler trusts
// every length and count in its input: a pickle that passes cannot make it take more memory than the limits above
// allow. scanPickle returns the length of the pickle, behind which p may go on, or errPickleCut if p ends before the
// pickle does.
func scanPickle(p []byte) (int, error) {
	containers, marks, ops, whole := 0, 0, 0, len(p)
	for len(p) > 0 {
		if ops++; ops > maxOps {
			return 0, errors.New("pickle is too complex for a state dict")
		}
		op := p[0]
		p = p[1:]
		switch op {
		case '.':
			return whole - len(p), nil
		case '(':
			marks++
			containers++
		case 't', 'u', 'e', 'o', 'i', 'l', 'd', '1', '\x8f', '\x90', '\x91':
			marks = max(0, marks-1)
			containers++
		case '}', ']', ')', 'R', 'c', '\x81', '\x85', '\x86', '\x87', '\x92', '\x93':
			containers++
		}
		if containers > maxContainers || marks > maxMarks {
			return 0, errors.New("pickle is too complex for a state dict")
		}
		n, err := skipArgument(op, p)
		if err != nil {
			return 0, err
		}
		p = p[n:]
	}
	return 0, errPickleCut
}

// skipArgument returns the length of the argument of opcode op at the start of p.
func skipArgument(op byte, p []byte) (int, error) {
	need := func(n int) (int, error) {
		if n > len(p) {
			return 0, errPickleCut
		}
		return n, nil
	}
	switch opcodes[op] {
	case noArg:
		return 0, nil
	case fixed1:
		return need(1)
	case fixed2:
		return need(2)
	case fixed4:
		return need(4)
	case fixed8:
		return need(8)
	case counted1, counted4, counted8:
		return skipCounted(op, p)
	case numberLine, textLine:
		n := bytes.IndexByte(p, '\n') + 1
		switch {
		case n == 0:
			return 0, errPickleCut
		case opcodes[op] == numberLine && n > maxNumberText:
			return 0, errors.New("pickle holds an absurd number")
		}
		return n, nil
	case twoLines:
		first := bytes.IndexByte(p, '\n') + 1
		second := bytes.IndexByte(p[first:], '\n') + 1
		if first == 0 || second == 0 {
			return 0, errPickleCut
		}
		return first + second, nil
	case frameArg: // the content of the frame is scanned like the rest
		if len(p) < 8 || binary.LittleEndian.Uint64(p) > uint64(len(p)-8) {
			return 0, errPickleCut
		}
		return 8, nil
	}
	return 0, fmt.Errorf("pickle opcode %#02x is not supported", op)
}

func skipCounted(op byte, p []byte) (int, error) {
	width := map[argument]int{counted1: 1, counted4: 4, counted8: 8}[opcodes[op]]
	if len(p) < width {
		return 0, errPickleCut
	}
	var count [8]byte
	copy(count[:], p[:width])
	n := binary.LittleEndian.Uint64(count[:])
	if n > uint64(len(p)-width) {
		return 0, errPickleCut
	}
	if (op == '\x8a' || op == '\x8b') && (n == 0 || n > maxLong) {
		return 0, errors.New("pickle holds an absurd number")
	}
	return width + int(n), nil
}
