package kernel

import "fmt"

// ConvGeom is the geometry of a two-dimensional convolution: input [C, H, W], weights [O, C/Groups, KH, KW], output [O,
// OutH, OutW]. S is the stride, P the zero padding on both sides, D the dilation. E is the number of further rows of
// padding at the bottom and columns at the right, negative for fewer. Groups divides C and O; Groups == C is a
// depthwise convolution. A stride, dilation or group count of zero means one.
type ConvGeom struct{ C, H, W, O, KH, KW, SH, SW, PH, PW, DH, DW, Groups, EH, EW int }

// OutH returns the output height.
func (g ConvGeom) OutH() int { return convOut(g.H, g.KH, one(g.SH), 2*g.PH+g.EH, one(g.DH)) }

// OutW returns the output width.
func (g ConvGeom) OutW() int { return convOut(g.W, g.KW, one(g.SW), 2*g.PW+g.EW, one(g.DW)) }

// InLen returns the number of elements of one input image.
func (g ConvGeom) InLen() int { return g.C * g.H * g.W }

// OutLen returns the number of elements of one output image.
func (g ConvGeom) OutLen() int { return g.O * g.OutH() * g.OutW() }

// WeightLen returns the number of weights.
func (g ConvGeom) WeightLen() int { return g.O * (g.C / one(g.Groups)) * g.KH * g.KW }

// FLOPs returns the number of floating-point operations of one image, a multiply-add counted as two.
func (g ConvGeom) FLOPs() int {
	return 2 * g.OutLen() * (g.C / one(g.Groups)) * g.KH * g.KW
}

// Check returns an error about the first thing that makes the geometry impossible.
func (g ConvGeom) Check() error {
	g = g.norm()
	switch {
	case g.C < 1 || g.H < 1 || g.W < 1 || g.O < 1:
		return fmt.Errorf("kernel: convolution: expected positive sizes, got [%d %d %d] to %d channels", g.C, g.H, g.W,
			g.O)
	case g.KH < 1 || g.KW < 1 || g.SH < 1 || g.SW < 1 || g.DH < 1 || g.DW < 1 || g.PH < 0 || g.PW < 0:
		return fmt.Errorf("kernel: convolution with kernel [%d %d], stride [%d %d], padding [%d %d], dilation [%d "+
			"%d]: out of range",
			g.KH, g.KW, g.SH, g.SW, g.PH, g.PW, g.DH, g.DW)
	case g.PH+g.EH < 0 || g.PW+g.EW < 0:
		return fmt.Errorf("kernel: convolution with padding [%d %d] and [%d %d] more at the bottom and right: out of "+
			"range", g.PH, g.PW, g.EH, g.EW)
	case g.Groups < 1 || g.C%g.Groups != 0 || g.O%g.Groups != 0:
		return fmt.Errorf("kernel: %d groups do not divide %d input and %d output channels", g.Groups, g.C, g.O)
	case g.OutH() < 1 || g.OutW() < 1:
		return fmt.Errorf("kernel: kernel [%d %d] with dilation [%d %d] does not fit the padded input [%d %d]",
			g.KH, g.KW, g.DH, g.DW, g.H+2*g.PH+g.EH, g.W+2*g.PW+g.EW)
	}
	return nil
}

// norm returns the geometry with ones in place of zero strides, dilations and groups.
func (g ConvGeom) norm() ConvGeom {
	g.SH, g.SW, g.DH, g.DW, g.Groups = one(g.SH), one(g.SW), one(g.DH), one(g.DW), one(g.Groups)
	return g
}

func one(n int) int {
	if n == 0 {
		return 1
	}
	return n
}

// convOut returns the number of outputs along an axis with the given number of inputs and of added zeros in all.
func convOut(in, k, s, pad, d int) int {
	room := in + pad - d*(k-1) - 1
	if room < 0 {
		return 0
	}
	return room/s + 1
}

// validRange returns the range [lo, hi) of outputs o whose input o*s+offset lies in [0, in).
func validRange(offset, s, in, out int) (lo, hi int) {
	if offset < 0 {
		lo = (-offset + s - 1) / s
	}
	hi = out
	if last := in - 1 - offset; last < 0 {
		hi = 0
	} else if h := last/s + 1; h < hi {
		hi = h
	}
	if lo > hi {
		lo = hi
	}
	return lo, hi
}
