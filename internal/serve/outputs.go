package serve

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
)

// output is a tensor that an answer can contain.
type output struct {
	name, datatype string
	wide           bool // shape is [images, neurons] instead of [images]
	asked          bool // sent only if the request asks for it
	// of returns the tensor's values as one slice.
	of     func(answers []Answer, neurons int) any
	binary bool
}

// outputs lists the tensors that the model can answer with.
func (m *model) outputs() []output {
	all := []output{
		{name: "score", datatype: "FP64", of: each(func(a Answer) float64 { return a.Score })},
		{name: "prediction", datatype: "INT64", of: each(func(a Answer) int64 { return int64(a.Prediction) })},
	}
	if m.judged() {
		all = append(all, output{name: "ood", datatype: "BOOL", of: each(func(a Answer) bool { return a.OOD })})
	}
	if m.calibrated() {
		all = append(all, output{name: "p_value", datatype: "FP64", of: each(func(a Answer) float64 { return a.P })})
	}
	if w, _ := m.Detector.Network().Head(); w != nil {
		all = append(all,
			output{name: "neurons", datatype: "INT64", wide: true, asked: true,
				of: eachNeuron(-1, func(n Neuron) int64 { return int64(n.Index) })},
			output{name: "contributions", datatype: "FP32", wide: true, asked: true,
				of: eachNeuron(0, func(n Neuron) float32 { return n.Contribution })})
	}
	return all
}

func each[T any](f func(Answer) T) func([]Answer, int) any {
	return func(answers []Answer, _ int) any {
		out := make([]T, len(answers))
		for i, a := range answers {
			out[i] = f(a)
		}
		return out
	}
}

// eachNeuron returns a function that lists f of every neuron. Where an image has fewer neurons than asked for, it adds
// none.
func eachNeuron[T any](none T, f func(Neuron) T) func([]Answer, int) any {
	return func(answers []Answer, neurons int) any {
		out := make([]T, 0, len(answers)*neurons)
		for _, a := range answers {
			for i := range neurons {
				if i < len(a.Neurons) {
					out = append(out, f(a.Neurons[i]))
				} else {
					out = append(out, none)
				}
			}
		}
		return out
	}
}

// wants returns the outputs and the number of neurons that a request asks for.
func (q *inferRequest) wants(m *model) (neurons int, outputs []output, err error) {
	neurons = defaultNumber
	if n := q.Parameters.Neurons; n != nil {
		if neurons = *n; neurons < 1 || neurons > maxNeurons {
			return 0, nil, badRequest("parameter neurons %d: expected 1 to %d", neurons, maxNeurons)
		}
	}
	available, names := map[string]output{}, ""
	for _, o := range m.outputs() {
		available[o.name] = o
		names += " " + o.name
		if len(q.Outputs) == 0 && !o.asked {
			o.binary = q.Parameters.Binary
			outputs = append(outputs, o)
		}
	}
	wide := false
	for _, want := range q.Outputs {
		o, ok := available[want.Name]
		switch {
		case !ok:
			return 0, nil, badRequest("output %q: expected one of%s, each once", want.Name, names)
		case want.Parameters.Region != nil:
			return 0, nil, badRequest("output %q: shared memory is not offered", want.Name)
		}
		delete(available, want.Name)
		o.binary = q.Parameters.Binary
		if b := want.Parameters.Binary; b != nil {
			o.binary = *b
		}
		wide = wide || o.wide
		outputs = append(outputs, o)
	}
	if !wide {
		neurons = 0
	}
	return neurons, outputs, nil
}

// inferOutput is a tensor in an answer.
type inferOutput struct {
	tensorInfo
	Parameters map[string]int `json:"parameters,omitempty"`
	Data       any            `json:"data,omitempty"`
}

// writeInference answers with JSON, followed by the binary tensors.
func writeInference(w http.ResponseWriter, name, version, id string, outputs []output, answers []Answer,
	neurons int) error {
	response := struct {
		Name    string        `json:"model_name"`
		Version string        `json:"model_version"`
		ID      string        `json:"id,omitempty"`
		Outputs []inferOutput `json:"outputs"`
	}{Name: name, Version: version, ID: id}
	var behind []byte
	anyBinary := false
	for _, o := range outputs {
		t := inferOutput{tensorInfo: tensorInfo{o.name, o.datatype, []int{len(answers)}}}
		if o.wide {
			t.Shape = append(t.Shape, neurons)
		}
		values := o.of(answers, neurons)
		if o.binary {
			before := len(behind)
			behind = appendBinary(behind, values)
			t.Parameters = map[string]int{"binary_data_size": len(behind) - before}
			anyBinary = true
		} else {
			t.Data = values
		}
		response.Outputs = append(response.Outputs, t)
	}
	head, err := json.Marshal(response)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if anyBinary {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(headerLength, strconv.Itoa(len(head)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(behind)))
	_, _ = w.Write(append(head, behind...)) // an error means that the client has left
	return nil
}

// appendBinary appends numbers, little-endian.
func appendBinary(b []byte, values any) []byte {
	switch v := values.(type) {
	case []float64:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	case []float32:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	case []int64:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
	case []bool:
		for _, x := range v {
			n := byte(0)
			if x {
				n = 1
			}
			b = append(b, n)
		}
	}
	return b
}
