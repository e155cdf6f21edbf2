package nets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/racetest"
	"github.com/line-ood/goline/nets"
)

// TestRoofline computes the table of docs/cuda.md. For a batch of 64 on a card it counts the floating-point operations
// and the bytes of every kernel of a forward pass, and from them the least time that an H100 (SXM: 67 TFLOP/s of
// float32, 3.35 TB/s) could take. Bytes are those of each input and of the output, once. What a tile computes beyond
// the rows of a product counts as time but not as work. The last line is for TF32, 495 TFLOP/s on tensor cores.
func TestRoofline(t *testing.T) {
	racetest.OneGoroutine(t)
	const flopRate, tensorRate, byteRate, batch = 67e12, 495e12, 3.35e12, 64
	for _, name := range []string{"densenet-bc-100-12", "resnet50"} {
		net, err := nets.New(name, 10)
		require.NoError(t, err)
		nettest.Fill(net.Params(), 1)
		p, err := graph.Compile(net, graph.Options{Batch: batch, Workers: 1, Fetch: []string{nets.Features,
			nets.Logits}})
		require.NoError(t, err)
		type row struct {
			kernels            int
			flops, bytes, time float64
			byBytes            int
		}
		rows := map[string]*row{}
		all, tensor := &row{}, &row{}
		sum := 0
		for _, s := range p.Steps() {
			if strings.HasPrefix(s.Kind, "Concat (in place)") {
				continue
			}
			kind := s.Kind
			work := 1.0 // floating-point operations, computed over needed ones
			if c, ok := s.Attributes.(graph.ConvStep); ok {
				w := s.Inputs[1].Shape
				kind = fmt.Sprintf("convolution %d×%d", w[2], w[3])
				rows := w[0]
				if c.Config.Groups <= 1 {
					tile := 128
					for _, size := range []int{64, 32, 16} {
						if rows <= size {
							tile = size
						}
					}
					work = float64((rows+tile-1)/tile*tile) / float64(rows)
				}
			}
			bytes := 4 * float64(elements(s.Output.Shape))
			for _, in := range s.Inputs {
				bytes += 4 * float64(elements(in.Shape))
			}
			flops := float64(batch * s.FLOPs)
			sum += s.FLOPs
			compute, memory := flops*work/flopRate, bytes/byteRate
			tensor.time += max(flops*work/tensorRate, memory)
			if memory > flops*work/tensorRate {
				tensor.byBytes++
			}
			for _, r := range []*row{all, rows[kind]} {
				if r == nil {
					r = &row{}
					rows[kind] = r
				}
				r.kernels++
				r.flops, r.bytes, r.time = r.flops+flops, r.bytes+bytes, r.time+max(compute, memory)
				if memory > compute {
					r.byBytes++
				}
			}
		}
		require.Equal(t, p.FLOPs(), sum)
		rows["all"] = all
		names := make([]string, 0, len(rows))
		for k := range rows {
			names = append(names, k)
		}
		slices.SortFunc(names, func(a, b string) int { return int(1e9 * (rows[b].time - rows[a].time)) })
		t.Logf("%s at batch %d", name, batch)
		t.Log("| operation | kernels | GFLOP | MB | least time, µs | of the float32 peak | bound by memory |")
		for _, k := range names {
			r := rows[k]
			t.Logf("| %s | %d | %.2f | %.0f | %.0f | %.0f %% | %d |", k, r.kernels, r.flops/1e9, r.bytes/1e6,
				r.time*1e6, 100*r.flops/flopRate/r.time, r.byBytes)
		}
		t.Logf("in TF32: least time %.0f µs, %d of %d kernels bound by memory", tensor.time*1e6, tensor.byBytes,
			all.kernels)
		require.Less(t, tensor.time, all.time)
		require.Greater(t, all.time, float64(sum*batch)/flopRate)
	}
}

func elements(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}
