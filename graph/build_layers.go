package graph

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
)

// Conv adds a convolution to x [batch, channels, height, width]: [batch, out channels, out height, out width]. Its
// parameters are name.weight and, where the model has it or the configuration asks for it, name.bias.
func (b *Builder) Conv(x *G.Node, name string, cfg ConvConfig) *G.Node {
	if b.declared != nil {
		b.declareConv(x, name, cfg)
	}
	w := b.Param(name + ".weight")
	var bias *G.Node
	if cfg.Bias || b.HasParam(name+".bias") {
		bias = b.Param(name + ".bias")
	}
	if b.err != nil {
		return nil
	}
	p := convParts{x: x, w: w, postShift: bias, cfg: cfg, frozen: b.training == nil, cache: b.shared,
		scratch: b.scratch, bf16: b.bf16}
	if b.training != nil {
		p.run = &b.training.run
	}
	if a, ok := b.affines[x]; ok {
		p.x, p.preScale, p.preShift, p.preReLU = a.x, a.scale, a.shift, a.relu
	}
	return b.conv(p)
}

func (b *Builder) conv(p convParts) *G.Node {
	n := b.check(conv2D(p))
	if n != nil && b.training == nil && b.declared == nil {
		b.convs[n] = p
	}
	return n
}

// BatchNorm adds batch norm to x [batch, channels, ...]. For inference it is folded into scale and shift (Ioffe &
// Szegedy 2015, algorithm 2): from name.weight γ, name.bias β, name.running_mean μ and name.running_var σ² it computes
// γ/√(σ²+eps)·(x-μ) + β per channel. A program for training computes [BatchNorm] instead.
func (b *Builder) BatchNorm(x *G.Node, name string, eps float64) *G.Node {
	if b.declared != nil {
		b.declareLayer(name)
		return b.declareBatchNorm(x, name)
	}
	if b.training != nil {
		return b.trainBatchNorm(x, name, eps)
	}
	p, fold := b.convs[x]
	fold = fold && p.post == ActIdentity() && p.residual == nil && p.postScale == nil
	var bias *Param
	if fold && p.postShift != nil {
		bias = b.paramOf[p.postShift]
	}
	scale, shift := b.folded(name, bias, eps)
	if b.err != nil {
		return nil
	}
	if fold {
		p.postScale, p.postShift = scale, shift
		return b.conv(p)
	}
	n := b.check(Affine(x, scale, shift))
	if n != nil {
		b.affines[n] = affineParts{x: x, scale: scale, shift: shift}
	}
	return n
}

// folded returns the scale and shift of a batch norm behind a layer with the given bias, nil where the layer has none.
func (b *Builder) folded(name string, bias *Param, eps float64) (scale, shift *G.Node) {
	parts := make([][]float32, 4)
	for i, part := range []string{"weight", "bias", "running_mean", "running_var"} {
		p := b.params[name+"."+part]
		if p == nil {
			b.Param(name + "." + part) // for the error about the missing parameter
			return nil, nil
		}
		parts[i] = p.Float32s()
		if len(parts[i]) != len(parts[0]) {
			b.fail(fmt.Errorf("batch norm %s: %s has %d channels, weight %d", name, part, len(parts[i]), len(parts[0])))
			return nil, nil
		}
	}
	gamma, beta, mean, variance := parts[0], parts[1], parts[2], parts[3]
	c := len(gamma)
	if bias != nil && len(bias.Float32s()) != c {
		b.fail(fmt.Errorf("batch norm %s: weight has %d channels, the layer before it %d", name, c,
			len(bias.Float32s())))
		return nil, nil
	}
	for i, v := range variance {
		if !(float64(v)+eps > 0) {
			b.fail(fmt.Errorf("batch norm %s: channel %d: expected a positive sum of running variance and eps, got "+
				"%v and %v", name, i, v, eps))
			return nil, nil
		}
	}
	factor := func(i int) float64 { return float64(gamma[i]) / math.Sqrt(float64(variance[i])+eps) }
	key := fixedKey{fmt.Sprintf("folded with eps %v", eps), name + ".scale"}
	scale = b.check(b.constant(key, func() []float64 {
		out := make([]float64, c)
		for i := range out {
			out[i] = factor(i)
		}
		return out
	}, c))
	if key.name = name + ".shift"; bias != nil {
		key.name += "+" + bias.Name
	}
	shift = b.check(b.constant(key, func() []float64 {
		out := make([]float64, c)
		for i := range out {
			out[i] = float64(beta[i]) - float64(mean[i])*factor(i)
		}
		if bias != nil {
			for i, v := range bias.Float32s()[:c] {
				out[i] += float64(v) * factor(i)
			}
		}
		return out
	}, c))
	return scale, shift
}

// ReLU adds max(x, 0).
func (b *Builder) ReLU(x *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	if b.training != nil {
		return b.trainReLU(x)
	}
	if p, ok := b.convs[x]; ok && p.post == ActIdentity() {
		p.post = ActReLU()
		return b.conv(p)
	}
	if a, ok := b.affines[x]; ok && !a.relu {
		a.relu = true
		n := b.check(affine(a.x, a.scale, a.shift, true))
		if n != nil {
			b.affines[n] = a
		}
		return n
	}
	return b.check(ReLU(x))
}

// Add adds the residual connection x + shortcut.
func (b *Builder) Add(x, shortcut *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	if b.training != nil {
		return b.trainAdd(x, shortcut)
	}
	if p, ok := b.convs[x]; ok && p.post == ActIdentity() && p.residual == nil && shortcut != nil &&
		sameShape(x.Shape(), shortcut.Shape()) {
		p.residual = shortcut
		return b.conv(p)
	}
	return b.check(Add(x, shortcut))
}

// Linear adds a fully connected layer to x [..., in] of at least two axes: [..., out]. Its parameters are name.weight
// and name.bias. The number of outputs, out, may be left out where the model has the parameters already; where it is
// given it must agree with them.
func (b *Builder) Linear(x *G.Node, name string, out ...int) *G.Node {
	if len(out) > 1 {
		b.fail(fmt.Errorf("linear layer %s: expected one size, got %v", name, out))
	}
	b.declareLayer(name)
	if b.err != nil {
		return nil
	}
	if len(out) == 0 {
		w, bias := b.Param(name+".weight"), b.Param(name+".bias")
		return b.Do(func() (*G.Node, error) { return Linear(x, w, bias) })
	}
	if err := wantRank("linear layer "+name, 2, x); err != nil {
		b.fail(err)
		return nil
	}
	w, bias := b.Param(name+".weight", out[0], x.Shape()[x.Dims()-1]), b.Param(name+".bias", out[0])
	return b.Do(func() (*G.Node, error) { return Linear(x, w, bias) })
}

// MaxPool adds [MaxPool2D].
func (b *Builder) MaxPool(x *G.Node, cfg PoolConfig) *G.Node {
	return b.Do(func() (*G.Node, error) { return MaxPool2D(x, cfg) })
}

// AvgPool adds [AvgPool2D]. Where x is a 1×1 convolution the pooling is moved in front of it, so that the convolution
// has fewer pixels to compute.
func (b *Builder) AvgPool(x *G.Node, cfg PoolConfig) *G.Node {
	if b.err != nil {
		return nil
	}
	if p, ok := b.convs[x]; ok && p.averagesInput(cfg) {
		pooled := b.check(p.poolFirst(cfg))
		if pooled == nil {
			return nil
		}
		p.x, p.preScale, p.preShift, p.preReLU = pooled, nil, nil, false
		return b.conv(p)
	}
	return b.Do(func() (*G.Node, error) { return AvgPool2D(x, cfg) })
}

// GlobalAvgPool adds [GlobalAvgPool2D].
func (b *Builder) GlobalAvgPool(x *G.Node) *G.Node {
	return b.Do(func() (*G.Node, error) { return GlobalAvgPool2D(x) })
}

// DenseBlock starts a [DenseBlock] with x [batch, ..., height, width] and calls layer count times, with i from 0 and
// the block so far; each node that layer returns is joined to the block. channels is the number of channels of the
// finished block.
func (b *Builder) DenseBlock(x *G.Node, channels, count int, layer func(i int, x *G.Node) *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	block, err := NewDenseBlock(x, channels)
	if err != nil {
		b.fail(err)
		return nil
	}
	// The block stores the value of x, so a layer that is fused into x's convolution would compute it a second time.
	delete(b.convs, x)
	for i := range count {
		y := layer(i, block.Node())
		if b.err != nil {
			return nil
		}
		if err := block.Append(y); err != nil {
			b.fail(err)
			return nil
		}
	}
	return block.Node()
}
