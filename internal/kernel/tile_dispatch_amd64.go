//go:build amd64 && !noasm

package kernel

func tileAVX512(rows, vecs int, t *tileArgs) {
	switch rows<<1 | (vecs - 1) {
	case 1<<1 | 0:
		tileAVX512_1x1(t)
	case 1<<1 | 1:
		tileAVX512_1x2(t)
	case 2<<1 | 0:
		tileAVX512_2x1(t)
	case 2<<1 | 1:
		tileAVX512_2x2(t)
	case 3<<1 | 0:
		tileAVX512_3x1(t)
	case 3<<1 | 1:
		tileAVX512_3x2(t)
	case 4<<1 | 0:
		tileAVX512_4x1(t)
	case 4<<1 | 1:
		tileAVX512_4x2(t)
	case 5<<1 | 0:
		tileAVX512_5x1(t)
	case 5<<1 | 1:
		tileAVX512_5x2(t)
	case 6<<1 | 0:
		tileAVX512_6x1(t)
	case 6<<1 | 1:
		tileAVX512_6x2(t)
	case 7<<1 | 0:
		tileAVX512_7x1(t)
	case 7<<1 | 1:
		tileAVX512_7x2(t)
	case 8<<1 | 0:
		tileAVX512_8x1(t)
	case 8<<1 | 1:
		tileAVX512_8x2(t)
	case 9<<1 | 0:
		tileAVX512_9x1(t)
	case 9<<1 | 1:
		tileAVX512_9x2(t)
	case 10<<1 | 0:
		tileAVX512_10x1(t)
	case 10<<1 | 1:
		tileAVX512_10x2(t)
	case 11<<1 | 0:
		tileAVX512_11x1(t)
	case 11<<1 | 1:
		tileAVX512_11x2(t)
	case 12<<1 | 0:
		tileAVX512_12x1(t)
	case 12<<1 | 1:
		tileAVX512_12x2(t)
	default:
		panic("kernel: no such tile")
	}
}

func tileAVX512h(rows, vecs int, t *tileArgs) {
	switch rows<<1 | (vecs - 1) {
	case 1<<1 | 0:
		tileAVX512_1x1h(t)
	case 1<<1 | 1:
		tileAVX512_1x2h(t)
	case 2<<1 | 0:
		tileAVX512_2x1h(t)
	case 2<<1 | 1:
		tileAVX512_2x2h(t)
	case 3<<1 | 0:
		tileAVX512_3x1h(t)
	case 3<<1 | 1:
		tileAVX512_3x2h(t)
	case 4<<1 | 0:
		tileAVX512_4x1h(t)
	case 4<<1 | 1:
		tileAVX512_4x2h(t)
	case 5<<1 | 0:
		tileAVX512_5x1h(t)
	case 5<<1 | 1:
		tileAVX512_5x2h(t)
	case 6<<1 | 0:
		tileAVX512_6x1h(t)
	case 6<<1 | 1:
		tileAVX512_6x2h(t)
	case 7<<1 | 0:
		tileAVX512_7x1h(t)
	case 7<<1 | 1:
		tileAVX512_7x2h(t)
	case 8<<1 | 0:
		tileAVX512_8x1h(t)
	case 8<<1 | 1:
		tileAVX512_8x2h(t)
	case 9<<1 | 0:
		tileAVX512_9x1h(t)
	case 9<<1 | 1:
		tileAVX512_9x2h(t)
	case 10<<1 | 0:
		tileAVX512_10x1h(t)
	case 10<<1 | 1:
		tileAVX512_10x2h(t)
	case 11<<1 | 0:
		tileAVX512_11x1h(t)
	case 11<<1 | 1:
		tileAVX512_11x2h(t)
	case 12<<1 | 0:
		tileAVX512_12x1h(t)
	case 12<<1 | 1:
		tileAVX512_12x2h(t)
	default:
		panic("kernel: no such tile")
	}
}

func tileAVX2(rows, vecs int, t *tileArgs) {
	switch rows<<1 | (vecs - 1) {
	case 1<<1 | 0:
		tileAVX2_1x1(t)
	case 1<<1 | 1:
		tileAVX2_1x2(t)
	case 2<<1 | 0:
		tileAVX2_2x1(t)
	case 2<<1 | 1:
		tileAVX2_2x2(t)
	case 3<<1 | 0:
		tileAVX2_3x1(t)
	case 3<<1 | 1:
		tileAVX2_3x2(t)
	case 4<<1 | 0:
		tileAVX2_4x1(t)
	case 4<<1 | 1:
		tileAVX2_4x2(t)
	case 5<<1 | 0:
		tileAVX2_5x1(t)
	case 5<<1 | 1:
		tileAVX2_5x2(t)
	case 6<<1 | 0:
		tileAVX2_6x1(t)
	case 6<<1 | 1:
		tileAVX2_6x2(t)
	default:
		panic("kernel: no such tile")
	}
}
