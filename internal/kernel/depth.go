//go:build (amd64 || arm64) && !noasm

package kernel

const depthCache = 64 << 10 // bytes of input planes processed at a time

// packDepth returns the weights of each channel, with its taps in the given order. It reuses weights unless that is
// nil.
func packDepth(weights []float32, channels int, s weightSource, order []int) []float32 {
	if weights == nil {
		weights = make([]float32, len(order)*channels)
	}
	for c := range channels {
		for i, t := range order {
			v := s.w[c*s.byGroup+s.tap[t]]
			if s.scale != nil {
				v *= s.scale[c]
			}
			weights[len(order)*c+i] = v
		}
	}
	return weights
}

// runDepth runs some channels of a convolution that knows neither residuals nor accumulation.
func runDepth(io planIO, g ConvGeom, d interface{ convolve(planIO, span) }, channels span) {
	own, n := io, g.OutLen()
	plane := g.OutH() * g.OutW()
	lo, hi := channels.lo*plane, channels.hi*plane
	switch {
	case io.accumulate:
		own.dst, own.scratch, own.accumulate = io.scratch[:n], io.scratch[n:], false
		d.convolve(own, channels)
		AddTo(io.dst[lo:hi], own.dst[lo:hi])
	case io.residual != nil:
		own.relu, own.act, own.ceil = false, Activation{}, noCeiling
		d.convolve(own, channels)
		Add(io.dst[lo:hi], io.dst[lo:hi], io.residual[lo:hi])
		io.dst = io.dst[lo:hi]
		io.finish(hi - lo)
	default:
		d.convolve(io, channels)
	}
}

// carefulChannels returns how many of the n channels from c on, of total, lie so near the end of memory that lanes
// beyond their plane may be outside of it.
func carefulChannels(total, c, n, plane, lanes int) int {
	return min(n, max(0, c+n-total+(lanes+plane-1)/plane))
}
