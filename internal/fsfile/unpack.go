package fsfile

// UnpackLimit returns the number of bytes to which a compressed file of the given size may unpack: 256 MiB plus 32
// times its size. Weights, features and pictures stay below that, even whole sets of blank pictures with a few strokes;
// a small file that was made to fill the memory does not.
func UnpackLimit(size int64) int64 {
	const always, times = 256 << 20, 32
	if size > (1<<62)/times {
		return 1 << 62
	}
	return always + times*max(size, 0)
}
