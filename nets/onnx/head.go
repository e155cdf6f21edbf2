package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/line-ood/goline/nets"
)

// samplesFirst fails unless a value depends on the images and has its samples along the first axis.
func samplesFirst(v *value, n int) error {
	switch {
	case v.c != nil || !v.batch.is:
		return errors.New("it does not depend on the images")
	case !v.batch.plain() || v.batch.per != 1 || v.rank() < 2:
		return fmt.Errorf("expected %d samples along the first axis, got shape %v", n, v.shape)
	}
	return nil
}

// findHead removes what follows the logits, such as a softmax, and finds the linear layer that computes them. samples
// is the batch size of the program.
func (n *Network) findHead(samples int) error {
	p := n.program
	logits := p.results[0]
	var head *inst
walk:
	for head == nil {
		i := logits.inst
		if i == nil {
			break
		}
		switch {
		case i.kind == "Softmax" || i.kind == "LogSoftmax" || unaryBy(logits, "Sigmoid") != nil:
			n.note("%s behind the logits is left off", i.node.describe())
			logits = i.in[0]
		case i.kind == "Reshape" && samplesFirst(i.in[0], samples) == nil:
			logits = i.in[0]
		case i.kind == "Linear":
			head = i
		case i.kind == "Conv" && onePixel(i):
			head = i
		default:
			break walk
		}
	}
	if err := samplesFirst(logits, samples); err != nil {
		return fmt.Errorf("logits: %w", err)
	}
	if logits.inst == nil {
		return errors.New("logits: they are the input")
	}
	flat := func(v *value) *value {
		if v.rank() == 2 {
			return v
		}
		i := &inst{kind: "Reshape", node: p.results[0].inst.node, ops: []string{"Flatten"}, in: []*value{v}}
		i.out = &value{elem: v.elem, shape: []int{samples, product(v.shape[1:])}, batch: onAxis(0), inst: i}
		p.insts = append(p.insts, i)
		return i.out
	}
	if head != nil && (product(head.in[0].shape) != samples*head.in[0].shape[len(head.in[0].shape)-1] &&
		head.kind == "Linear" ||
		samplesFirst(head.in[0], samples) != nil || product(head.out.shape) != product(logits.shape)) {
		head = nil // not a head: it is applied to several positions of an image
	}
	if head != nil {
		x := flat(head.in[0])
		if head.in[0] != x || head.kind != "Linear" {
			l := &inst{kind: "Linear", node: head.node, ops: head.ops, in: []*value{x},
				params: slices.Clone(head.params)}
			w := *l.params[0]
			w.shape = []int{w.shape[0], x.shape[1]}
			l.params[0] = &w
			l.out = &value{name: logits.name, elem: x.elem, shape: []int{samples, w.shape[0]}, batch: onAxis(0),
				inst: l}
			p.insts = append(p.insts, l)
			head = l
		}
		if !has(head, "bias") {
			k := head.out.shape[1]
			head.params = append(head.params, &param{suffix: "bias", shape: []int{k},
				values: func() []float32 { return make([]float32, k) }})
		}
		logits = head.out
	}
	p.results[0] = flat(logits)
	if head != nil && len(p.results) == 1 {
		p.results = append(p.results, head.in[0])
	} else if len(p.results) == 2 {
		p.results[1] = flat(p.results[1])
	}
	p.fuse()
	logits = p.results[0]
	n.roles[logits], n.classes = nets.Logits, logits.shape[1]
	if len(p.results) > 1 {
		features := p.results[1]
		if features == logits || features.inst == nil {
			return fmt.Errorf("features: %q is the %s", features.name, n.roles[features])
		}
		if head != nil && head.in[0] == features {
			n.head = head
		}
		n.roles[features], n.dim = nets.Features, features.shape[1]
	}
	if n.head == nil {
		n.note("no linear last layer is found")
	}
	return nil
}

// onePixel tells whether a convolution equals a linear layer because its input has one pixel.
func onePixel(i *inst) bool {
	w, x := i.a.(*windowAttrs), i.in[0]
	return len(i.params) > 0 && product(w.kernel) == 1 && w.groups == 1 && product(x.shape[2:]) == 1 &&
		slices.Max(w.begin) == 0 && slices.Max(w.end) == 0
}

// NeedHead returns an error, which wraps [nets.ErrNoHead], unless the logits are linear in the features.
func (n *Network) NeedHead() error {
	if n.head == nil {
		return fmt.Errorf("onnx: %s: %w: its logits are computed by %s", n.name, nets.ErrNoHead,
			n.program.results[0].inst.node.describe())
	}
	return nil
}
