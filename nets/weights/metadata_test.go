package weights_test

import (
	"archive/zip"
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets/weights"
)

// withMetadata returns a checkpoint of the vector "w" of 1, 2, 3, 4. metadata writes the seventh argument of
// _rebuild_tensor_v2.
func withMetadata(t testing.TB, metadata func(p *pickler)) []byte {
	p := newPickler().op("}").text("w").global("torch._utils", "_rebuild_tensor_v2").op("((")
	p.text("storage").global("torch", "FloatStorage").text("0").text("cpu").int(4).op("tQ")
	p.int(0).ints([]int{4}).ints([]int{1}).op("\x89").global("collections", "OrderedDict").op(")R")
	metadata(p)
	p.op("tRs.")
	return zipped(t, zip.Store, record{"archive/data.pkl", p.Bytes()}, record{"archive/data/0", floats(1, 2, 3, 4)})
}

// TestTensorMetadata: the negative bit changes all signs, as in torch.imag(z.conj()). Other bits are refused, not
// ignored.
func TestTensorMetadata(t *testing.T) {
	bit := func(name, value string) func(*pickler) {
		return func(p *pickler) { p.op("}").text(name).op(value + "s") }
	}
	read := func(metadata func(*pickler)) (*weights.StateDict, error) {
		file := withMetadata(t, metadata)
		return weights.ReadFrom(bytes.NewReader(file), int64(len(file)), "f.pt")
	}
	for _, c := range []struct {
		metadata func(*pickler)
		sign     float32
	}{
		{func(*pickler) {}, 1}, {func(p *pickler) { p.op("N") }, 1}, {func(p *pickler) { p.op("}") }, 1},
		{bit("neg", "\x88"), -1}, {bit("neg", "\x89"), 1}, {bit("conj", "\x89"), 1},
	} {
		sd, err := read(c.metadata)
		require.NoError(t, err)
		w, _ := sd.Get("w")
		require.Equal(t, []float32{c.sign * 1, c.sign * 2, c.sign * 3, c.sign * 4}, w.F32)
	}
	for _, c := range []func(*pickler){
		bit("conj", "\x88"), bit("zero", "\x88"), bit("neg", "K\x01"), func(p *pickler) { p.op("K\x01") },
		func(p *pickler) { p.op("]") },
	} {
		_, err := read(c)
		require.ErrorContains(t, err, "f.pt")
		require.ErrorContains(t, err, "metadata")
	}
}
