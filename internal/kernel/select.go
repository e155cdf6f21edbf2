package kernel

// Select computes dst[i] = on[i] where bit i%64 of bits[i/64] is set, and off[i] elsewhere: the activations of a
// coalition from present and removed ones. bits has at least as many bits as dst has elements. dst may be on or off.
func Select[T Float](dst, on, off []T, bits []uint64) {
	on, off, bits = on[:len(dst)], off[:len(dst)], bits[:(len(dst)+63)/64]
	done := 0
	if is32[T]() {
		done = select32(as32(dst), as32(on), as32(off), bits)
	}
	for i := done; i < len(dst); i++ {
		if bits[i>>6]>>(uint(i)&63)&1 != 0 {
			dst[i] = on[i]
		} else {
			dst[i] = off[i]
		}
	}
}
