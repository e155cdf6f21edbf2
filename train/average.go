package train

import "github.com/line-ood/goline/graph"

// average is an exponential moving average of all parameters and buffers.
type average struct {
	decay  float64
	params []*graph.Param
	values [][]float32
}

func newAverage(params []*graph.Param, decay float64) *average {
	a := &average{decay: decay, params: params, values: like(params)}
	for i, p := range params {
		copy(a.values[i], p.Float32s())
	}
	return a
}

// update includes the parameters after a step, counted from 1, in the average. The decay is smaller in early steps,
// so that the initial weights lose their influence soon.
func (a *average) update(step int) {
	d := float32(min(a.decay, float64(1+step)/float64(10+step)))
	for i, p := range a.params {
		v := a.values[i]
		for j, w := range p.Float32s() {
			v[j] += (1 - d) * (w - v[j])
		}
	}
}

// swap exchanges the averages and the parameters.
func (a *average) swap() {
	for i, p := range a.params {
		w, v := p.Float32s(), a.values[i]
		for j := range w {
			w[j], v[j] = v[j], w[j]
		}
	}
}
