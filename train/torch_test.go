package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

const (
	torchSteps, torchBatch, torchClasses, torchSide = 20, 16, 10, 32
)

// torchSettings are the settings of one run in torch_reference.py.
type torchSettings struct {
	Net         string
	Optimizer   string
	Momentum    float64
	Nesterov    bool
	WeightDecay float64 `json:"weight_decay"`
	LR          float64
	Smoothing   float64
	Clip        float64
	Schedule    string
}

// noise returns a pseudo-random number between -1 and 1 by a formula.
func noise(i float64) float64 {
	v := 43758.5453 * math.Sin(12.9898*i+0.5)
	return 2*(v-math.Floor(v)) - 1
}

// fillByFormula gives parameters the values that torch_reference.py gives them.
func fillByFormula(params []*graph.Param) {
	for _, p := range params {
		offset := float64(crc32.ChecksumIEEE([]byte(p.Name)) % 1000)
		v, shape := p.Float32s(), p.Shape()
		for i := range v {
			u := noise(float64(i) + offset)
			switch {
			case strings.HasSuffix(p.Name, "running_mean"):
				u *= 0.1
			case strings.HasSuffix(p.Name, "running_var"):
				u = 1 + 0.5*u*u
			case strings.HasSuffix(p.Name, "bias"):
				u *= 0.05
			case len(shape) == 1:
				u = 1 + 0.1*u
			default:
				u *= math.Sqrt(2/float64(len(v)/shape[0])) * math.Sqrt(3)
			}
			v[i] = float32(u)
		}
	}
}

// torchBatchAt returns the batch of a step in torch_reference.py, with smoothed targets.
func torchBatchAt(step int, smoothing float64) graph.TrainingBatch {
	const size = 3 * torchSide * torchSide
	b := graph.TrainingBatch{X: make([]float32, torchBatch*size), Targets: make([]float32, torchBatch*torchClasses)}
	for n := range torchBatch {
		label := (n*7 + step*3) % torchClasses
		for at := range size {
			b.X[n*size+at] = float32(math.Sin(0.05*float64(label+1)*float64(at)+float64(n)+float64(step)) +
				0.5*noise(float64(at+3100*n+17*step)))
		}
		for k := range torchClasses {
			b.Targets[n*torchClasses+k] = float32(smoothing / torchClasses)
		}
		b.Targets[n*torchClasses+label] += float32(1 - smoothing)
	}
	return b
}

func TestStepsMatchPyTorch(t *testing.T) {
	ref, err := npyz.ReadNpz("testdata/torch_reference.npz")
	require.NoError(t, err)
	for run := range 4 {
		text, err := ref.String(fmt.Sprintf("%d/settings", run))
		require.NoError(t, err)
		var s torchSettings
		require.NoError(t, json.Unmarshal([]byte(text), &s))
		t.Run(fmt.Sprintf("%s_%s_%s", s.Net, s.Optimizer, s.Schedule), func(t *testing.T) {
			t.Parallel()
			net, err := nets.New(s.Net, torchClasses)
			require.NoError(t, err)
			fillByFormula(net.Params())
			program, err := graph.CompileTraining(net, graph.TrainingOptions{Batch: torchBatch})
			require.NoError(t, err)
			optimizer, err := train.NewOptimizer(train.OptimizerConfig{
				Name: s.Optimizer, Momentum: s.Momentum, Nesterov: s.Nesterov, WeightDecay: s.WeightDecay,
			}, program.Params())
			require.NoError(t, err)
			course := train.ScheduleConfig{Name: s.Schedule, LearningRate: s.LR, Every: 0.4, Gamma: 0.1}
			if s.Schedule == train.OneCycle {
				course.Warmup = 0.25
			}
			schedule, err := train.NewSchedule(course, 1, torchSteps)
			require.NoError(t, err)
			losses, err := ref.Float64(fmt.Sprintf("%d/losses", run), torchSteps)
			require.NoError(t, err)
			rates, err := ref.Float64(fmt.Sprintf("%d/rates", run), torchSteps)
			require.NoError(t, err)

			worst := 0.0
			for step := range torchSteps {
				out, err := program.Run(context.Background(), torchBatchAt(step, s.Smoothing))
				require.NoError(t, err)
				require.InDelta(t, rates[step], schedule(step), 1e-9*s.LR, "learning rate of step %d", step)
				require.InEpsilon(t, losses[step], out.Loss, 1e-4, "loss of step %d", step)
				worst = max(worst, math.Abs(out.Loss/losses[step]-1))
				train.Clip(program.Gradients(), s.Clip)
				optimizer.Step(schedule(step), program.Gradients())
			}
			t.Logf("largest relative difference of a loss: %.2g", worst)
			checked := 0
			for _, p := range net.Params() {
				name := fmt.Sprintf("%d/state/%s", run, p.Name)
				if !ref.Has(name) {
					continue
				}
				want, err := ref.Float32(name, p.Shape()...)
				require.NoError(t, err)
				requireClose(t, want, p.Float32s(), 1e-4, p.Name)
				checked++
			}
			require.GreaterOrEqual(t, checked, 14)
			logits, err := ref.Float32(fmt.Sprintf("%d/logits", run), torchBatch, torchClasses)
			require.NoError(t, err)
			requireClose(t, logits, inference(t, net, torchBatchAt(torchSteps, 0).X), 1e-4,
				"logits of the trained network in inference")
		})
	}
}

// inference returns the logits of a batch in inference mode.
func inference(t *testing.T, net nets.Classifier, x []float32) []float32 {
	t.Helper()
	program, err := graph.Compile(net, graph.Options{Fetch: []string{nets.Logits}})
	require.NoError(t, err)
	var logits []float32
	batches := func(yield func(graph.Batch, error) bool) { yield(graph.Batch{X: x, N: torchBatch}, nil) }
	for out, err := range program.Run(context.Background(), batches) {
		require.NoError(t, err)
		logits = append(logits, out.Float32(nets.Logits)...)
	}
	return logits
}

// requireClose checks the distance of two vectors relative to their length.
func requireClose(t *testing.T, want, got []float32, tolerance float64, name string) {
	t.Helper()
	var square, distance float64
	for i, w := range want {
		square += float64(w) * float64(w)
		distance += float64(w-got[i]) * float64(w-got[i])
	}
	require.LessOrEqual(t, math.Sqrt(distance/square), tolerance, name)
}
