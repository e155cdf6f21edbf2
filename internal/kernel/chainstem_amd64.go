//go:build amd64 && !noasm

package kernel

// chainStem is a convolution in front of a chain that is not pointwise, such as the first of an image. It computes some
// output rows at a time.
type chainStem struct {
	plan        *plan
	bias        []float32
	post        chainPost
	ones, zeros []float32
}

// newChainStem returns the chainStem of a convolution, nil where the convolution has another engine, has groups, or
// sums more terms than a block holds.
func newChainStem(conv *Conv[float32]) *chainStem {
	p, ok := conv.fast.engine.(*plan)
	if !ok || p.panel || p.groups != 1 || p.blockC < p.c {
		return nil
	}
	return &chainStem{plan: p, bias: conv.bias, post: newChainPost(conv.post), ones: conv.fast.ones,
		zeros: conv.fast.zeros}
}

// run computes the output rows [from, to) of an image. dst starts with row from; its channels are apart elements apart.
func (s *chainStem) run(dst []float32, apart int, src, scratch []float32, from, to int) {
	p := s.plan
	io := planIO{
		dst: dst, src: src, bias: s.bias, relu: s.post.relu, ceil: s.post.ceil, act: s.post.act, scale: s.ones,
		shift: s.zeros, floor: noFloor,
		apart: apart, from: from,
	}
	for y := from; y < to; y += p.strip {
		rows := min(p.strip, to-y)
		p.fill(&io, scratch, 0, p.c, y, rows)
		p.runStrip(&io, scratch, p.weights, 0, 0, p.c, y, rows, p.all().tiles)
	}
}
