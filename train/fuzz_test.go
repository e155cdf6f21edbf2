package train

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// blank is a set of eight black pictures.
type blank struct{}

func (blank) Name() string      { return "blank" }
func (blank) Len() int          { return 8 }
func (blank) Labels() []int     { return make([]int, 8) }
func (blank) Classes() []string { return nil }
func (blank) ID(i int) string   { return fmt.Sprint(i) }
func (blank) Close() error      { return nil }
func (blank) Image(int) (dataset.Image, error) {
	return dataset.Image{Pix: make([]uint8, 3*28*28), Height: 28, Width: 28}, nil
}

func newBlankRun(t testing.TB, checkpoint string) *run {
	net, err := nets.New("resnet-fashion-8-1", 1)
	require.NoError(t, err)
	return newRunOf(t, net, checkpoint)
}

func newRunOf(t testing.TB, net nets.Classifier, checkpoint string) *run {
	c, err := Config{Epochs: 3, Batch: 4, Schedule: ScheduleConfig{LearningRate: 1},
		Checkpoint: checkpoint}.withDefaults(net, blank{})
	require.NoError(t, err)
	r, err := newRun(net, blank{}, nil, c)
	require.NoError(t, err)
	return r
}

// FuzzCheckpoint reads damaged checkpoints: one that is accepted must be a state that a run can be in. The network
// has a single batch norm layer, so that its checkpoint has a tensor of each kind and is quick to read.
func FuzzCheckpoint(f *testing.F) {
	path := filepath.Join(f.TempDir(), "run.npz")
	net, err := nets.Define(nets.Definition{
		Name: "smallest", Classes: 1, Input: []int{3, 28, 28}, Preprocessing: nets.FashionMNIST(),
		Build: func(b *graph.Builder, x *G.Node) *G.Node { return b.GlobalAvgPool(b.BatchNorm(x, "bn", 1e-5)) },
	})
	require.NoError(f, err)
	r := newRunOf(f, net, path)
	r.state.Step, r.state.Curve = 2, []Epoch{{Epoch: 1}}
	r.optimizer.SetSteps(2)
	require.NoError(f, r.save())
	good, err := os.ReadFile(path)
	require.NoError(f, err)
	files := [][]byte{good}
	for _, change := range [][2]string{{`"Step":2`, `"Step":9`}, {`"Step":2`, `"Step":-`}, {`"Epoch":1`, `"Epoch":"`}} {
		files = append(files, bytes.ReplaceAll(good, []byte(change[0]), []byte(change[1])))
	}
	for i := range files {
		f.Add(uint8(i), uint8(i), uint64(i), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, which, kind uint8, seed uint64, data []byte) {
		rng, file := rand.New(rand.NewPCG(seed, 1)), files[int(which)%len(files)]
		switch kind % 4 { // files are damaged here, since the fuzzer is slow with long inputs
		case 0:
		case 2:
			data = damage.Defect(file, rng)
		default:
			data = damage.Zip(file, rng)
		}
		reader, err := npyz.NewReader(bytes.NewReader(data), int64(len(data)), "checkpoint")
		if err != nil {
			return
		}
		archive, err := reader.ReadAll()
		if err != nil {
			return
		}
		if err := r.take(archive); err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.GreaterOrEqual(t, r.state.Step, 0)
		require.LessOrEqual(t, r.state.Step, r.totalSteps())
		require.Equal(t, r.state.Step, r.optimizer.Steps())
	})
}

func TestCheckpointOfAnotherStepIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.npz")
	r := newBlankRun(t, path)
	for _, c := range []struct {
		step, steps int
		want        string
	}{
		{7, 7, "expected a step from 0 to 6 in at most 3 epochs, got 7 in 0"},
		{-1, -1, "expected a step from 0 to 6 in at most 3 epochs, got -1 in 0"},
		{2, 3, "optimizer_steps: expected [2], got [3]"},
	} {
		r.state.Step = c.step
		r.optimizer.SetSteps(c.steps)
		require.NoError(t, r.save())
		require.ErrorContains(t, newBlankRun(t, path).restore(), c.want)
	}
	r.state.Step = 4
	r.optimizer.SetSteps(4)
	require.NoError(t, r.save())
	require.NoError(t, newBlankRun(t, path).restore())
}
