//go:build amd64 && !noasm

package kernel

// tileAVX512 runs the tile of a panel.
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

// tileAVX512p runs the tile of a view.
func tileAVX512p(rows, vecs int, t *tileArgs) {
	switch rows<<1 | (vecs - 1) {
	case 1<<1 | 0:
		tileAVX512_1x1p(t)
	case 1<<1 | 1:
		tileAVX512_1x2p(t)
	case 2<<1 | 0:
		tileAVX512_2x1p(t)
	case 2<<1 | 1:
		tileAVX512_2x2p(t)
	case 3<<1 | 0:
		tileAVX512_3x1p(t)
	case 3<<1 | 1:
		tileAVX512_3x2p(t)
	case 4<<1 | 0:
		tileAVX512_4x1p(t)
	case 4<<1 | 1:
		tileAVX512_4x2p(t)
	case 5<<1 | 0:
		tileAVX512_5x1p(t)
	case 5<<1 | 1:
		tileAVX512_5x2p(t)
	case 6<<1 | 0:
		tileAVX512_6x1p(t)
	case 6<<1 | 1:
		tileAVX512_6x2p(t)
	case 7<<1 | 0:
		tileAVX512_7x1p(t)
	case 7<<1 | 1:
		tileAVX512_7x2p(t)
	case 8<<1 | 0:
		tileAVX512_8x1p(t)
	case 8<<1 | 1:
		tileAVX512_8x2p(t)
	case 9<<1 | 0:
		tileAVX512_9x1p(t)
	case 9<<1 | 1:
		tileAVX512_9x2p(t)
	case 10<<1 | 0:
		tileAVX512_10x1p(t)
	case 10<<1 | 1:
		tileAVX512_10x2p(t)
	case 11<<1 | 0:
		tileAVX512_11x1p(t)
	case 11<<1 | 1:
		tileAVX512_11x2p(t)
	case 12<<1 | 0:
		tileAVX512_12x1p(t)
	case 12<<1 | 1:
		tileAVX512_12x2p(t)
	default:
		panic("kernel: no such tile")
	}
}

// tileAVX512h runs the tile of a view whose vectors span two rows.
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

// tileAVX2 runs the tile of a panel.
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

// tileAVX2p runs the tile of a view.
func tileAVX2p(rows, vecs int, t *tileArgs) {
	switch rows<<1 | (vecs - 1) {
	case 1<<1 | 0:
		tileAVX2_1x1p(t)
	case 1<<1 | 1:
		tileAVX2_1x2p(t)
	case 2<<1 | 0:
		tileAVX2_2x1p(t)
	case 2<<1 | 1:
		tileAVX2_2x2p(t)
	case 3<<1 | 0:
		tileAVX2_3x1p(t)
	case 3<<1 | 1:
		tileAVX2_3x2p(t)
	case 4<<1 | 0:
		tileAVX2_4x1p(t)
	case 4<<1 | 1:
		tileAVX2_4x2p(t)
	case 5<<1 | 0:
		tileAVX2_5x1p(t)
	case 5<<1 | 1:
		tileAVX2_5x2p(t)
	case 6<<1 | 0:
		tileAVX2_6x1p(t)
	case 6<<1 | 1:
		tileAVX2_6x2p(t)
	default:
		panic("kernel: no such tile")
	}
}
