package fsfile

// UnpackLimit is how many bytes a compressed file of the given size may unpack to: 256 MiB, and 32 times its own size
// more. Weights, features and pictures, even whole sets of blank ones with a few strokes, stay below; a small file made
// to fill the memory does not.
func UnpackLimit(size int64) int64 {
	const always, times = 256 << 20, 32
	if size > (1<<62)/times {
		return 1 << 62
	}
	return always + times*max(size, 0)
}
