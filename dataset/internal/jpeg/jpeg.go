// Package jpeg decodes JPEG pictures to RGB with the same bits as libjpeg(-turbo) with its default settings, which
// Pillow, and therefore torchvision's image loader, use: the accurate integer inverse DCT ("islow"), triangle-filter
// ("fancy") chroma upsampling, and fixed-point ITU-R BT.601 colour conversion. The standard library's image/jpeg uses
// another inverse DCT and does not interpolate chroma, which changes single pixels by tens of grey levels.
//
// It reads the kinds of files that are in use: 8-bit baseline, extended sequential and progressive Huffman-coded
// files with 1, 3 or 4 components and any integral subsampling. Arithmetic-coded, lossless and 12-bit files are
// errors.
//
// On 477 files of all these kinds no sample differed from Pillow 9.4, 12.1 and 13.0; the tests include two dozen of
// them.
//
// It differs from libjpeg in two ways on purpose. Damaged entropy-coded data is an error, where libjpeg fills in
// grey. And it does not smooth blocks as libjpeg does for a progressive file that does not contain all AC bits.
//
// Sources: ITU-T T.81 (the format and its decoding procedures); Loeffler, Ligtenberg, Moschytz, "Practical fast 1-D DCT
// algorithms with 11 multiplications", ICASSP 1989 (the inverse DCT's flow graph).
package jpeg

import (
	"context"
	"errors"
	"fmt"
)

// ErrUnsupported is wrapped by errors for valid files of a kind that this package does not read.
var ErrUnsupported = errors.New("unsupported kind of JPEG")

// errTruncated is the error for data that end before the picture does.
var errTruncated = errors.New("truncated: the data ends before the picture does")

// Decode decodes one picture to RGB, row-major (height, width, 3), into buf if its capacity suffices. A picture with
// more than maxPixels pixels is an error, before memory is allocated for it.
func Decode(data []byte, buf []uint8, maxPixels int) (pix []uint8, height, width int, err error) {
	return DecodeContext(context.Background(), data, buf, maxPixels)
}

// DecodeContext is Decode that returns ctx's error when ctx ends. A small file can demand hundreds of scans over a
// large picture.
func DecodeContext(ctx context.Context, data []byte, buf []uint8,
	maxPixels int) (pix []uint8, height, width int, err error) {
	d := decoder{ctx: ctx, data: data, maxPixels: maxPixels}
	if err := d.readFile(); err != nil {
		if ctx.Err() != nil {
			return nil, 0, 0, ctx.Err()
		}
		return nil, 0, 0, fmt.Errorf("jpeg: %w", err)
	}
	if n := d.width * d.height * 3; cap(buf) < n {
		pix = make([]uint8, n)
	} else {
		pix = buf[:n]
	}
	if err := d.render(pix); err != nil {
		if ctx.Err() != nil {
			return nil, 0, 0, ctx.Err()
		}
		return nil, 0, 0, fmt.Errorf("jpeg: %w", err)
	}
	return pix, d.height, d.width, nil
}

// Memory returns an upper bound of the memory for decoding, in bytes, by the frame header: coefficients of a
// progressive picture, planes and RGB. It decodes nothing. Damage before the end of the frame header is an error.
func Memory(data []byte, maxPixels int) (int64, error) {
	d := decoder{ctx: context.Background(), data: data, maxPixels: maxPixels, headOnly: true}
	if err := d.readFile(); err != nil && err != errHead {
		return 0, fmt.Errorf("jpeg: %w", err)
	}
	return d.memory, nil
}

// errHead ends reading after the frame header.
var errHead = errors.New("only the frame header was asked for")

// block holds 64 coefficients in natural (not zigzag) order.
type block [64]int16

// component is one colour plane of the frame.
type component struct {
	id      byte
	h, v    int // sampling factors
	tq      byte
	quant   [64]int32 // natural order, as of the component's first scan
	latched bool
	seen    bool // whether DC coefficients have been decoded
	width   int  // real samples per row (T.81 A.1.1)
	height  int
	blocksX int // blocks per row and column of the padded plane
	blocksY int
	coef    []block // progressive only, [blocksY, blocksX]
	plane   []uint8 // [8*blocksY, 8*blocksX]
	stride  int
	pred    int32 // DC prediction
	dc, ac  *huffman
	hExp    int // upsampling factors
	vExp    int
	wide    []uint8 // memory for one upsampled row
}

type decoder struct {
	ctx       context.Context
	headOnly  bool  // stop after the frame header
	memory    int64 // memory for the picture in bytes, known after the frame header
	data      []byte
	pos       int
	maxPixels int

	width, height int
	progressive   bool
	comps         []component
	hMax, vMax    int
	mcusX, mcusY  int

	quant    [4][64]int32
	hasQuant [4]bool
	dcTables [4]*huffman
	acTables [4]*huffman

	restartInterval int
	jfif            bool
	adobe           bool
	adobeTransform  byte
	scans           int

	bits   bitReader
	eobRun int
}

// zigzag maps the position in the file to the position in the block (T.81 figure A.6). The 16 additional entries are
// for runs beyond the end in damaged files, so that the loop needs no branch.
var zigzag = [64 + 16]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
}
