//go:build amd64 && !noasm

package kernel

// dotsAVX512 runs up to six rows by four.
func dotsAVX512(rows, cols int, d *dotsArgs) {
	switch rows<<3 | cols {
	case 1<<3 | 1:
		dotsAVX512_1x1(d)
	case 1<<3 | 2:
		dotsAVX512_1x2(d)
	case 1<<3 | 3:
		dotsAVX512_1x3(d)
	case 1<<3 | 4:
		dotsAVX512_1x4(d)
	case 2<<3 | 1:
		dotsAVX512_2x1(d)
	case 2<<3 | 2:
		dotsAVX512_2x2(d)
	case 2<<3 | 3:
		dotsAVX512_2x3(d)
	case 2<<3 | 4:
		dotsAVX512_2x4(d)
	case 3<<3 | 1:
		dotsAVX512_3x1(d)
	case 3<<3 | 2:
		dotsAVX512_3x2(d)
	case 3<<3 | 3:
		dotsAVX512_3x3(d)
	case 3<<3 | 4:
		dotsAVX512_3x4(d)
	case 4<<3 | 1:
		dotsAVX512_4x1(d)
	case 4<<3 | 2:
		dotsAVX512_4x2(d)
	case 4<<3 | 3:
		dotsAVX512_4x3(d)
	case 4<<3 | 4:
		dotsAVX512_4x4(d)
	case 5<<3 | 1:
		dotsAVX512_5x1(d)
	case 5<<3 | 2:
		dotsAVX512_5x2(d)
	case 5<<3 | 3:
		dotsAVX512_5x3(d)
	case 5<<3 | 4:
		dotsAVX512_5x4(d)
	case 6<<3 | 1:
		dotsAVX512_6x1(d)
	case 6<<3 | 2:
		dotsAVX512_6x2(d)
	case 6<<3 | 3:
		dotsAVX512_6x3(d)
	case 6<<3 | 4:
		dotsAVX512_6x4(d)
	default:
		panic("kernel: no such tile")
	}
}

// dotsAVX2 runs up to three rows by two.
func dotsAVX2(rows, cols int, d *dotsArgs) {
	switch rows<<3 | cols {
	case 1<<3 | 1:
		dotsAVX2_1x1(d)
	case 1<<3 | 2:
		dotsAVX2_1x2(d)
	case 2<<3 | 1:
		dotsAVX2_2x1(d)
	case 2<<3 | 2:
		dotsAVX2_2x2(d)
	case 3<<3 | 1:
		dotsAVX2_3x1(d)
	case 3<<3 | 2:
		dotsAVX2_3x2(d)
	default:
		panic("kernel: no such tile")
	}
}
