package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// vit describes a vision transformer (Dosovitskiy et al., ICLR 2021, section 3.1).
type vit struct {
	patch, dim, layers, heads, hidden int
}

func (v vit) build(b *graph.Builder, x *G.Node) *G.Node {
	const eps = 1e-6
	token := b.Param("class_token", 1, 1, v.dim)
	x = b.Conv(x, "conv_proj", patches(v.dim, v.patch))
	if b.Err() != nil {
		return nil
	}
	batch, tokens := x.Shape()[0], x.Shape()[2]*x.Shape()[3]
	position := b.Param("encoder.pos_embedding", 1, tokens+1, v.dim)
	pixels := transpose(b, reshape(b, x, batch, v.dim, tokens), 0, 2, 1)
	x = b.Do(func() (*G.Node, error) {
		class, err := graph.Expand(token, batch, 1, v.dim)
		if err != nil {
			return nil, err
		}
		x, err := graph.ConcatAxis(1, class, pixels)
		if err != nil {
			return nil, err
		}
		return graph.Add(x, position)
	})
	for i := range v.layers {
		name := fmt.Sprintf("encoder.layers.encoder_layer_%d", i)
		x = b.Add(v.attend(b, layerNorm(b, x, name+".ln_1", eps), name+".self_attention"), x)
		x = b.Tap(name, b.Add(perceptron(b, layerNorm(b, x, name+".ln_2", eps), name+".mlp", v.hidden), x))
	}
	x = layerNorm(b, x, "encoder.ln", eps)
	first := b.Do(func() (*G.Node, error) { return graph.Slice(x, 1, 0, 1, 1) })
	return reshape(b, first, batch, v.dim)
}

// attend adds the self-attention of x [batch, tokens, dim], with the parameters of torch.nn.MultiheadAttention.
func (v vit) attend(b *graph.Builder, x *G.Node, name string) *G.Node {
	w, bias := b.Param(name+".in_proj_weight", 3*v.dim, v.dim), b.Param(name+".in_proj_bias", 3*v.dim)
	qkv := b.Do(func() (*G.Node, error) { return graph.Linear(x, w, bias) })
	return b.Linear(attention(b, qkv, v.heads), name+".out_proj", v.dim)
}

// perceptron adds the linear layers name.0 and name.3 to x [..., dim], with GELU between them.
func perceptron(b *graph.Builder, x *G.Node, name string, hidden int) *G.Node {
	if b.Err() != nil {
		return nil
	}
	return b.Linear(b.Activate(b.Linear(x, name+".0", hidden), graph.ActGELU()), name+".3", last(x))
}

func vitB16() architecture {
	v := vit{patch: 16, dim: 768, layers: 12, heads: 12, hidden: 3072}
	return imageNet("vit_b_16", "heads.head", ImageNet(), v.build)
}
