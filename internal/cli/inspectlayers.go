package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/nets"
)

// layerFacts describes one operation of a network's graph.
type layerFacts struct {
	Name         string `json:"name"`      // name of the first parameter without its last part, or of the node
	Operation    string `json:"operation"` // with the layers that are fused into it
	Shape        []int  `json:"shape"`     // of the result for one image
	Parameters   int    `json:"parameters"`
	MultiplyAdds int    `json:"multiply_adds"` // for one image
	Bytes        int    `json:"bytes"`         // of the result for one image
	Node         string `json:"node,omitempty"`
}

// inspectLayers lists the operations that compute features, logits and prediction of one image.
func inspectLayers(f *facts, net nets.Classifier) error {
	p, err := graph.Compile(net, graph.Options{Batch: 1, Workers: 1, Fetch: []string{nets.Logits, nets.Prediction}})
	if err != nil {
		return err
	}
	var (
		rows    []layerFacts
		counted = map[*graph.Operand]bool{}
	)
	for _, s := range p.Steps() {
		r := layerFacts{
			Operation: s.Label, Shape: s.Output.Shape[1:], MultiplyAdds: s.FLOPs / 2,
			Bytes: size(s.Output.Shape) * int(s.Output.Dtype.Size()), Node: s.Output.Name,
		}
		for _, in := range s.Inputs {
			if in.Value == nil || counted[in] {
				continue
			}
			counted[in] = true
			r.Parameters += size(in.Shape)
			if at := strings.LastIndexByte(in.Name, '.'); r.Name == "" && at > 0 {
				r.Name = in.Name[:at]
			}
		}
		if r.Name == "" {
			r.Name = r.Node
		}
		rows = append(rows, r)
	}
	f.add("multiply_adds", p.FLOPs()/2)
	f.add("activation_memory", p.ActivationBytes())
	f.add("layers", rows)
	return nil
}

func size(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// printLayers writes the table of layers.
func printLayers(w io.Writer, rows []layerFacts) error {
	t := command.NewTable(7, "layer", "operation", "result", "parameters", "multiply-adds", "KiB", "node")
	var parameters, work int
	for _, r := range rows {
		t.AppendRow(table.Row{
			r.Name, r.Operation, strings.Trim(strings.ReplaceAll(fmt.Sprint(r.Shape), " ", "×"), "[]"),
			r.Parameters, r.MultiplyAdds, fmt.Sprintf("%.1f", float64(r.Bytes)/1024), r.Node,
		})
		parameters += r.Parameters
		work += r.MultiplyAdds
	}
	t.AppendFooter(table.Row{"", fmt.Sprintf("%d operations", len(rows)), "", parameters, work})
	t.Style().Format.Footer = text.FormatDefault
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
