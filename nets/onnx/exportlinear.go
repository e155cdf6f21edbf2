package onnx

import "github.com/line-ood/goline/graph"

func exportLinear(e *exporter, s graph.Step, _ []int, name string) error {
	x, w := s.Inputs[0], s.Inputs[1]
	if len(x.Shape) == 2 {
		return plain("Gemm", integer("transB", 1))(e, s, nil, name)
	}
	in, err := e.useAll(append([]*graph.Operand{x}, s.Inputs[2:]...)...)
	if err != nil {
		return err
	}
	weight, err := e.transposed(w)
	if err != nil {
		return err
	}
	if len(in) == 1 {
		e.node("MatMul", name, []string{in[0], weight})
		return nil
	}
	e.node("Add", name, []string{e.inner("MatMul", []string{in[0], weight}), in[1]})
	return nil
}

// transposed returns the name of the transposed matrix.
func (e *exporter) transposed(v *graph.Operand) (string, error) {
	if name := e.transposes[v]; name != "" {
		return name, nil
	}
	if v.Value == nil {
		x, err := e.use(v)
		if err != nil {
			return "", err
		}
		e.transposes[v] = e.inner("Transpose", []string{x}, integers("perm", 1, 0))
		return e.transposes[v], nil
	}
	x, err := values(v)
	if err != nil {
		return "", err
	}
	rows, columns := v.Shape[0], v.Shape[1]
	y := make([]float32, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	e.transposes[v] = e.floats(v.Name, y, columns, rows)
	return e.transposes[v], nil
}

// exportMatMul writes a matrix product. The product of two vectors is a scalar in ONNX and has one axis in a graph, so
// it gets that axis.
func exportMatMul(e *exporter, s graph.Step, _ []int, name string) error {
	if len(s.Inputs[0].Shape) > 1 || len(s.Inputs[1].Shape) > 1 {
		return plain("MatMul")(e, s, nil, name)
	}
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	e.node("Reshape", name, []string{e.inner("MatMul", in), e.ints(name+".shape", 1)})
	return nil
}
