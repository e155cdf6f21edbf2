package graph

import (
	"fmt"
	"hash/fnv"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// training is the state of a Builder that builds for training. Nothing is folded into the convolutions, whose weights
// need gradients, and batch norm uses the statistics of its batch.
type training struct {
	layers []normLayer
	norms  map[*G.Node]normNode
	seeds  *G.Node // seeds of dropout, [batch] of int
	run    int     // the number of the program's run, see convParts
}

// normLayer is a batch norm of the model.
type normLayer struct {
	mean, variance *Param  // its running statistics
	node           *G.Node // the batch norm's node in the graph, with what is fused into it
	count          int     // number of values per channel
}

// normNode holds the parts of a batch norm node and the index of its layer.
type normNode struct {
	parts normParts
	layer int
}

// Training tells whether the graph is built for training.
func (b *Builder) Training() bool { return b.training != nil }

// trainBatchNorm adds a batch norm with the statistics of the batch.
func (b *Builder) trainBatchNorm(x *G.Node, name string, eps float64) *G.Node {
	p := normParts{x: x, gamma: b.Param(name + ".weight"), beta: b.Param(name + ".bias"), eps: eps}
	if b.err != nil {
		return nil
	}
	layer := normLayer{mean: b.params[name+".running_mean"], variance: b.params[name+".running_var"]}
	for _, s := range []*Param{layer.mean, layer.variance} {
		if s == nil || len(s.Float32s()) != p.gamma.Shape()[0] {
			b.fail(fmt.Errorf("batch norm %s: running statistics are missing or not of %d channels", name,
				p.gamma.Shape()[0]))
			return nil
		}
	}
	t := b.training
	t.layers = append(t.layers, layer)
	return b.trainNorm(normNode{p, len(t.layers) - 1})
}

// trainNorm adds a batch norm in place of the same norm with fewer layers fused into it.
func (b *Builder) trainNorm(n normNode) *G.Node {
	node := b.check(batchNorm(n.parts))
	if node == nil {
		return nil
	}
	l := &b.training.layers[n.layer]
	l.node, l.count = node, node.Shape().TotalSize()/node.Shape()[1]
	b.training.norms[node] = n
	return node
}

// trainReLU fuses a ReLU into a batch norm before it.
func (b *Builder) trainReLU(x *G.Node) *G.Node {
	n, ok := b.training.norms[x]
	if !ok || n.parts.relu {
		return b.check(ReLU(x))
	}
	n.parts.relu = true
	return b.trainNorm(n)
}

// trainAdd fuses a residual addition into a batch norm before it.
func (b *Builder) trainAdd(x, shortcut *G.Node) *G.Node {
	n, ok := b.training.norms[x]
	if !ok || n.parts.relu || n.parts.residual != nil || shortcut == nil || !sameShape(x.Shape(), shortcut.Shape()) {
		return b.check(Add(x, shortcut))
	}
	n.parts.residual = shortcut
	return b.trainNorm(n)
}

// Dropout adds [Dropout], with the seeds that the training program gets with each batch; for inference it returns x.
// The name must be unique in the model: it is mixed into the seed, so that two dropout layers zero different
// activations of the same sample.
func (b *Builder) Dropout(x *G.Node, name string, rate float64) *G.Node {
	if b.err != nil || b.training == nil || rate == 0 {
		return x
	}
	if b.training.seeds == nil {
		b.training.seeds = b.inputNode("dropout seeds", tensor.Int)
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return b.Do(func() (*G.Node, error) { return Dropout(x, b.training.seeds, rate, h.Sum64()) })
}
