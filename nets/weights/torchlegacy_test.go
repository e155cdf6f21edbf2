package weights_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets/weights"
)

// keyList returns the pickle of a list of storage keys.
func keyList(keys ...string) []byte {
	p := newPickler().op("](")
	for _, k := range keys {
		p.text(k)
	}
	return p.op("e.").Bytes()
}

// object returns the pickle of a dictionary of tensors.
func object(views ...view) []byte { return newPickler().dict(views...).op(".").Bytes() }

func TestLegacyStorageViews(t *testing.T) {
	part := vector("part")
	part.size, part.part, part.shape, part.offset = 6, []int{2, 4}, []int{3}, 1
	whole := vector("whole")
	whole.size, whole.shape = 6, []int{6}
	other := view{name: "other", class: "FloatStorage", key: "1", size: 1, shape: []int{}}
	sd, err := weights.ReadBytes(legacy(object(part, whole, other), keyList("1", "0"), stored(9),
		stored(0, 1, 2, 3, 4, 5)))
	require.NoError(t, err)
	require.Equal(t, []weights.Tensor{
		{Name: "part", Shape: []int{3}, F32: []float32{3, 4, 5}},
		{Name: "whole", Shape: []int{6}, F32: []float32{0, 1, 2, 3, 4, 5}},
		{Name: "other", Shape: []int{}, F32: []float32{9}},
	}, tensors(sd))
}

// TestLegacyObjectOfAnyLength: the object's pickle is read in pieces, which may end anywhere in it.
func TestLegacyObjectOfAnyLength(t *testing.T) {
	for _, n := range []int{1, 50, 1000} {
		var views []view
		for i := range n {
			views = append(views, vector(strconv.Itoa(i)))
		}
		sd, err := weights.ReadBytes(legacy(object(views...), keyList("0"), stored(1, 2, 3, 4)))
		require.NoError(t, err)
		require.Equal(t, n, sd.Len())
	}
}

func TestLegacyRefuses(t *testing.T) {
	with := func(change func(v *view)) []byte {
		v := vector("a")
		change(&v)
		return object(v)
	}
	good, key, data := object(vector("a")), keyList("0"), stored(1, 2, 3, 4)
	most := int64(1) << 62
	huge := binary.LittleEndian.AppendUint64(nil, uint64(most))
	for want, file := range map[string][]byte{
		"storage keys: pickle is cut off":                             legacy(good, nil),
		"storage \"0\": expected 8 bytes":                             legacy(good, key),
		"storage \"0\" of 4 elements: unexpected EOF":                 legacy(good, key, data[:23]),
		"storage \"0\": expected 4 elements, got 3":                   legacy(good, key, stored(1, 2, 3)),
		"storage \"0\": expected 4 elements, got 4611686018427387904": legacy(good, key, huge),
		"storage \"0\" of 4611686018427387904 elements: un": legacy(with(func(v *view) { v.size = int(most) }), key,
			huge),
		"storage \"0\" comes twice":                        legacy(good, keyList("0", "0"), data, data),
		"storage \"1\" is none of the object":              legacy(good, keyList("1"), data),
		"storage \"7\" is none of the object":              legacy(good, newPickler().op("](K\x07e.").Bytes(), data),
		"storage keys: expected a list, got a *types.Dict": legacy(good, newPickler().op("}.").Bytes(), data),
		"storage \"0\" is missing":                         legacy(good, keyList()),
		"elements of torch.Own are not supported": legacy(with(func(v *view) { v.class = "Own" }), key,
			data),
		"with a view outside of it": legacy(with(func(v *view) { v.part = []int{2, 3} }), key,
			data),
		"4 elements with a view outside": legacy(with(func(v *view) { v.part = []int{-1, 3} }), key,
			data),
		"storage \"0\" of 4 elements with a view out": legacy(with(func(v *view) {
			v.part = []int{math.MaxInt, 2}
		}), key, data),
		"reaches outside of its storage of 3 elements": legacy(with(func(v *view) { v.part = []int{1, 3} }), key,
			data),
		"expected a state dict, got a Python object of class torch.nn.Linear: ": legacy(
			newPickler().op("(").text("module").global("torch.nn", "Linear").text("file").text("source").op(
				"tQ)R.").Bytes(), keyList()),
		"storage \"0\" is called 4 of FloatStorage and 5 of": legacy(object(vector("a"),
			view{name: "b", class: "FloatStorage", key: "0", size: 5, shape: []int{}}), key, data),
		"expected version 1001": bytes.Replace(legacy(good, key, data), []byte("M\xe9\x03"), []byte("M\xea\x03"), 1),
	} {
		_, err := weights.ReadBytes(file)
		require.ErrorContains(t, err, want)
	}
}

// TestOldNames: names in torchvision's DenseNet files of 2017 have a dot where present ones have none, and layers of
// its first vision transformers had other names.
func TestOldNames(t *testing.T) {
	read := func(names ...string) []string {
		var views []view
		for _, name := range names {
			views = append(views, vector(name))
		}
		sd, err := weights.ReadBytes(checkpoint(t, views...))
		require.NoError(t, err)
		for _, name := range sd.Names() {
			_, ok := sd.Get(name)
			require.True(t, ok, name)
		}
		return sd.Names()
	}
	require.Equal(t, []string{
		"features.denseblock1.denselayer2.norm1.weight", "features.denseblock1.denselayer2.conv2.weight",
		"features.denseblock1.denselayer2.norm.3.weight", "features.denseblock1.layer.norm.1.bias", "classifier.weight",
	}, read(
		"module.features.denseblock1.denselayer2.norm.1.weight",
		"module.features.denseblock1.denselayer2.conv.2.weight",
		"module.features.denseblock1.denselayer2.norm.3.weight", "module.features.denseblock1.layer.norm.1.bias",
		"module.classifier.weight",
	))
	require.Equal(t, []string{
		"encoder.layers.encoder_layer_0.mlp.0.weight", "encoder.layers.encoder_layer_11.mlp.3.bias",
		"mlp.linear_1.weight",
	}, read(
		"encoder.layers.encoder_layer_0.mlp.linear_1.weight", "encoder.layers.encoder_layer_11.mlp.linear_2.bias",
		"mlp.linear_1.weight",
	))
	taken := []string{"denselayer2.norm.1.weight", "denselayer2.norm1.weight"}
	require.Equal(t, taken, read(taken...))
}

// TestReadsPublishedLegacyCheckpoint reads a network in the legacy format. The digest was computed with PyTorch as in
// TestReadsPublishedCheckpoints, from names without "module.".
func TestReadsPublishedLegacyCheckpoint(t *testing.T) {
	sd, err := weights.Read(sharedtest.Path(t, "checkpoints", "cifar10_resnet20.th"))
	require.NoError(t, err)
	h := sha256.New()
	for tensor := range sd.All() {
		h.Write([]byte(tensor.Name))
		require.NoError(t, binary.Write(h, binary.LittleEndian, tensor.F32))
		require.NoError(t, binary.Write(h, binary.LittleEndian, tensor.I64))
	}
	require.Equal(t, "b0a845a931deb07e2020f9498e047407e8dd2ec9b3fa9d8d91bec0ff9bb41059", hex.EncodeToString(h.Sum(nil)))
}
