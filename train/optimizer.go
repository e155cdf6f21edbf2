package train

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/graph"
)

// Optimizer updates parameters by their gradients.
type Optimizer interface {
	// Step updates the parameters once with the learning rate lr. grads[i] has the length of parameter i and is
	// overwritten.
	Step(lr float64, grads [][]float32)
	// State returns the state of the optimizer by name, one slice for each parameter. Writing to the slices restores
	// a state.
	State() map[string][][]float32
	// Steps returns the number of calls of Step; SetSteps restores it.
	Steps() int
	SetSteps(n int)
}

// Names of the algorithms for [OptimizerConfig].
const (
	// stochastic gradient descent with momentum; weight decay is added to the gradient, as in PyTorch's SGD
	SGD   = "sgd"
	SGDW  = "sgdw"  // SGD with decoupled weight decay (Loshchilov & Hutter, ICLR 2019, algorithm 1)
	AdamW = "adamw" // Adam with decoupled weight decay (the same, algorithm 2), as PyTorch's AdamW
)

// OptimizerConfig selects an optimizer. For zero values see the comments of the fields.
type OptimizerConfig struct {
	Name        string  // SGD, SGDW or AdamW; "" stands for SGD
	Momentum    float64 // for SGD and SGDW, in [0, 1)
	Nesterov    bool    // Nesterov momentum instead of the classical one
	WeightDecay float64 // at least 0
	// ExemptVectors exempts parameters with one axis, such as biases and the scales of batch norm, from weight decay.
	ExemptVectors bool `json:"KeepVectors"`
	// Beta1, Beta2 and Epsilon are for AdamW; 0 stands for 0.9, 0.999 and 1e-8.
	Beta1, Beta2, Epsilon float64
}

func (c OptimizerConfig) withDefaults() (OptimizerConfig, error) {
	or := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	if c.Name == "" {
		c.Name = SGD
	}
	or(&c.Beta1, 0.9)
	or(&c.Beta2, 0.999)
	or(&c.Epsilon, 1e-8)
	in01 := func(v float64) bool { return v >= 0 && v < 1 }
	switch {
	case c.Name != SGD && c.Name != SGDW && c.Name != AdamW:
		return c, fmt.Errorf("optimizer: expected %s, %s or %s, got %q", SGD, SGDW, AdamW, c.Name)
	case !in01(c.Momentum):
		return c, fmt.Errorf("momentum: expected a number in [0, 1), got %v", c.Momentum)
	case c.Nesterov && c.Momentum == 0:
		return c, fmt.Errorf("momentum: expected a number above 0 for the look-ahead of Nesterov, got 0")
	case !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 0):
		return c, fmt.Errorf("weight decay: expected a finite number of at least 0, got %v", c.WeightDecay)
	case !in01(c.Beta1) || !in01(c.Beta2):
		return c, fmt.Errorf("betas: expected numbers in [0, 1), got %v and %v", c.Beta1, c.Beta2)
	case !(c.Epsilon > 0):
		return c, fmt.Errorf("epsilon: expected a positive number, got %v", c.Epsilon)
	}
	return c, nil
}

// NewOptimizer returns an optimizer that updates params in place. Settings outside of the ranges that
// [OptimizerConfig] states are an error.
func NewOptimizer(c OptimizerConfig, params []*graph.Param) (Optimizer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, configf("%w", err)
	}
	s := stepper{c: c, params: params}
	if c.Name == AdamW {
		return &adamW{stepper: s, mean: like(params), square: like(params)}, nil
	}
	return &sgd{stepper: s, velocity: like(params)}, nil
}

// like returns slices of zeros with the sizes of the parameters.
func like(params []*graph.Param) [][]float32 {
	out := make([][]float32, len(params))
	for i, p := range params {
		out[i] = make([]float32, len(p.Float32s()))
	}
	return out
}

// stepper holds what all optimizers have in common: parameters, settings and the number of steps.
type stepper struct {
	c      OptimizerConfig
	params []*graph.Param
	steps  int
}

func (s *stepper) Steps() int     { return s.steps }
func (s *stepper) SetSteps(n int) { s.steps = n }

// decay returns the weight decay of parameter i.
func (s *stepper) decay(i int) float64 {
	if s.c.ExemptVectors && len(s.params[i].Shape()) < 2 {
		return 0
	}
	return s.c.WeightDecay
}

type sgd struct {
	stepper
	velocity [][]float32
}

func (s *sgd) State() map[string][][]float32 { return map[string][][]float32{"velocity": s.velocity} }

func (s *sgd) Step(lr float64, grads [][]float32) {
	s.steps++
	mu, rate := float32(s.c.Momentum), float32(lr)
	for i, p := range s.params {
		w, v, g := p.Float32s(), s.velocity[i], grads[i]
		coupled, keep := float32(s.decay(i)), float32(1)
		if s.c.Name == SGDW {
			coupled, keep = 0, float32(1-lr*s.decay(i))
		}
		for j := range w {
			d := g[j] + coupled*w[j]
			v[j] = mu*v[j] + d
			if s.c.Nesterov {
				d += mu * v[j]
			} else {
				d = v[j]
			}
			w[j] = keep*w[j] - rate*d
		}
	}
}

type adamW struct {
	stepper
	mean, square [][]float32
}

func (a *adamW) State() map[string][][]float32 {
	return map[string][][]float32{"mean": a.mean, "square": a.square}
}

func (a *adamW) Step(lr float64, grads [][]float32) {
	a.steps++
	b1, b2 := float32(a.c.Beta1), float32(a.c.Beta2)
	rate := float32(lr / (1 - math.Pow(a.c.Beta1, float64(a.steps))))
	root := float32(math.Sqrt(1 - math.Pow(a.c.Beta2, float64(a.steps))))
	eps := float32(a.c.Epsilon)
	for i, p := range a.params {
		w, m, v, g := p.Float32s(), a.mean[i], a.square[i], grads[i]
		keep := float32(1 - lr*a.decay(i))
		for j := range w {
			m[j] = b1*m[j] + (1-b1)*g[j]
			v[j] = b2*v[j] + (1-b2)*g[j]*g[j]
			w[j] = keep*w[j] - rate*m[j]/(float32(math.Sqrt(float64(v[j])))/root+eps)
		}
	}
}

// Norm returns the Euclidean norm of the concatenation of all gradients.
func Norm(grads [][]float32) float64 {
	var sum float64
	for _, g := range grads {
		for _, v := range g {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum)
}

// Clip scales the gradients down so that their norm is at most limit (Pascanu et al., ICML 2013); 0 stands for no
// limit. It returns the norm before scaling.
func Clip(grads [][]float32, limit float64) float64 {
	norm := Norm(grads)
	if limit <= 0 || !(norm > limit) {
		return norm
	}
	f := float32(limit / (norm + 1e-6)) // as in PyTorch's clip_grad_norm_
	for _, g := range grads {
		for i := range g {
			g[i] *= f
		}
	}
	return norm
}
