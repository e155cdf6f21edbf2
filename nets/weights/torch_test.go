package weights_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets/weights"
)

// fixture returns the state dict that testdata/make.py writes by formula, with its float tensors times scale.
func fixture(scale float32) []weights.Tensor {
	w := make([]float32, 24)
	for i := range w {
		w[i] = (float32(i)/4 - 3) * scale
	}
	return []weights.Tensor{
		{Name: "conv.weight", Shape: []int{2, 3, 2, 2}, F32: w},
		{Name: "bn.running_mean", Shape: []int{2}, F32: []float32{0.5 * scale, 1.5 * scale}},
		{Name: "bn.num_batches_tracked", Shape: []int{}, I64: []int64{7}},
	}
}

func tensors(sd *weights.StateDict) []weights.Tensor {
	var out []weights.Tensor
	for t := range sd.All() {
		out = append(out, t)
	}
	return out
}

func TestReadsWhatPyTorchWrites(t *testing.T) {
	for _, name := range []string{
		"plain.pth", "dict.pth", "protocol4.pth", "module_prefix.pth", "compiled_prefix.pth", "half.pth",
		"bfloat16.pth",
		"double.pth", "parameters.pth", "nested.pth.tar", "legacy.pth", "legacy_nested.pth.tar",
	} {
		t.Run(name, func(t *testing.T) {
			sd, err := weights.Read(filepath.Join("testdata", name))
			require.NoError(t, err)
			require.Equal(t, fixture(1), tensors(sd))
		})
	}
}

func TestReadsViews(t *testing.T) {
	transposed := make([]float32, 24)
	for i := range transposed {
		transposed[i] = float32(i%4*6 + i/4)
	}
	var step []float32
	for i := 1; i < 24; i += 2 {
		step = append(step, float32(i))
	}
	want := []weights.Tensor{
		{Name: "transposed", Shape: []int{6, 4}, F32: transposed},
		{Name: "cut", Shape: []int{2, 3}, F32: []float32{8, 9, 10, 14, 15, 16}},
		{Name: "step", Shape: []int{12}, F32: step},
		{Name: "expanded", Shape: []int{2, 3}, F32: []float32{1, 1, 1, 2, 2, 2}},
		{Name: "first", Shape: []int{4}, F32: []float32{0, 1, 2, 3}},
		{Name: "scalar", Shape: []int{}, F32: []float32{5}},
		{Name: "empty", Shape: []int{0, 3}, F32: []float32{}},
		{Name: "channels_last", Shape: []int{2, 3, 2, 2}, F32: fixture(1)[0].F32},
	}
	for _, name := range []string{"views.pth", "legacy_views.pth"} {
		sd, err := weights.Read(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.Equal(t, want, tensors(sd), name)
	}
}

func TestReadsIntegers(t *testing.T) {
	sd, err := weights.Read(filepath.Join("testdata", "integers.pth"))
	require.NoError(t, err)
	two := []int{2}
	require.Equal(t, []weights.Tensor{
		{Name: "int64", Shape: two, I64: []int64{-1 << 40, 1 << 40}},
		{Name: "int32", Shape: two, I64: []int64{-2, 1<<31 - 1}},
		{Name: "int16", Shape: two, I64: []int64{-300, 300}},
		{Name: "int8", Shape: two, I64: []int64{-128, 127}},
		{Name: "uint8", Shape: two, I64: []int64{0, 255}},
		{Name: "bool", Shape: two, I64: []int64{1, 0}},
	}, tensors(sd))
}

func TestRefusesWithAReason(t *testing.T) {
	for name, want := range map[string]string{
		"module.pth":        "expected a state dict, got a Python object of class torch.nn.modules.linear.Linear: ",
		"module_inside.pth": "the file has epoch, model (torch.nn.modules.linear.Linear)",
		"tensor.pth":        "expected a state dict, got a single tensor",
		"no_tensors.pth":    "the file has epoch, name",
		"sparse.pth":        `tensor "s": tensors made by torch._utils._rebuild_sparse_tensor`,
		"quantized.pth":     `tensor "q": tensors made by torch._utils._rebuild_qtensor`,
		"complex.pth":       `tensor "c": elements of ComplexFloatStorage`,
		"torchscript.pt":    "TorchScript",
		"make.py":           "unknown format",
	} {
		path := filepath.Join("testdata", name)
		_, err := weights.Read(path)
		require.ErrorContains(t, err, want, name)
		require.ErrorContains(t, err, path)
	}
}

// TestReadsPublishedCheckpoints reads the networks of the LINe paper. The digests were computed with PyTorch 1.13 from
// each name followed by its tensor's bytes: h.update(name.encode()); h.update(tensor.numpy().tobytes()).
func TestReadsPublishedCheckpoints(t *testing.T) {
	for _, c := range []struct {
		name, digest string
		classes      int
	}{
		{"cifar10_densenet_bc_100_12.pth.tar", "bd7016cb65b41719fc28e1c59a16c862321bcd8fb28daecef4c4b0cb54c1f261", 10},
		{"cifar100_densenet_bc_100_12.pth.tar", "e4b1d76cbf17f93611a2b62c7f8b64215284c817aba350b5185956ed534abcf3",
			100},
	} {
		t.Run(c.name, func(t *testing.T) {
			sd, err := weights.Read(sharedtest.Path(t, "checkpoints", c.name))
			require.NoError(t, err)
			require.Equal(t, 596, sd.Len())
			h := sha256.New()
			for tensor := range sd.All() {
				h.Write([]byte(tensor.Name))
				require.NoError(t, binary.Write(h, binary.LittleEndian, tensor.F32))
				require.NoError(t, binary.Write(h, binary.LittleEndian, tensor.I64))
			}
			require.Equal(t, c.digest, hex.EncodeToString(h.Sum(nil)))
			fc, ok := sd.Get("fc.weight")
			require.True(t, ok)
			require.Equal(t, []int{c.classes, 342}, fc.Shape)
			counter, ok := sd.Get("bn1.num_batches_tracked")
			require.True(t, ok)
			require.Equal(t, []int{}, counter.Shape)
		})
	}
}
