package weights_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/nets/weights"
)

func vector(name string) view {
	return view{name: name, class: "FloatStorage", key: "0", size: 4, shape: []int{4}, stride: []int{1}}
}

func TestHandMadeCheckpoint(t *testing.T) {
	want := []weights.Tensor{{Name: "a", Shape: []int{4}, F32: []float32{1, 2, 3, 4}}}
	sd, err := weights.ReadBytes(checkpoint(t, vector("a")))
	require.NoError(t, err)
	require.Equal(t, want, tensors(sd))

	pkl := newPickler().dict(vector("a")).op(".").Bytes()
	sd, err = weights.ReadBytes(zipped(t, zip.Deflate, record{"x/data.pkl", pkl},
		record{"x/data/0", floats(1, 2, 3, 4)}))
	require.NoError(t, err, "a re-packed, compressed archive")
	require.Equal(t, want, tensors(sd))

	var big bytes.Buffer
	require.NoError(t, binary.Write(&big, binary.BigEndian, []float32{1, 2, 3, 4}))
	sd, err = weights.ReadBytes(zipped(t, zip.Store, record{"data.pkl", pkl}, record{"data/0", big.Bytes()},
		record{"byteorder", []byte("big")}))
	require.NoError(t, err, "written on a big-endian machine, without a folder")
	require.Equal(t, want, tensors(sd))
}

// TestViewsMatchEnumeration compares every view inside its storage with index arithmetic.
func TestViewsMatchEnumeration(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 3).Draw(rt, "shape")
		stride := rapid.SliceOfN(rapid.IntRange(0, 3), len(shape), len(shape)).Draw(rt, "stride")
		offset := rapid.IntRange(0, 5).Draw(rt, "offset")
		want := []float32{}
		fits := offset <= 4 // an empty view may start at the end
		var walk func(axis, at int)
		walk = func(axis, at int) {
			if axis == len(shape) {
				if at >= 4 {
					fits = false
				} else {
					want = append(want, float32(at+1))
				}
				return
			}
			for i := range shape[axis] {
				walk(axis+1, at+i*stride[axis])
			}
		}
		walk(0, offset)
		v := view{name: "a", class: "FloatStorage", key: "0", size: 4, offset: offset, shape: shape, stride: stride}
		sd, err := weights.ReadBytes(checkpoint(t, v))
		if !fits {
			require.ErrorContains(rt, err, `tensor "a"`)
			return
		}
		require.NoError(rt, err)
		require.Equal(rt, []weights.Tensor{{Name: "a", Shape: shape, F32: want}}, tensors(sd))
	})
}

func TestRefusesMalformedTensors(t *testing.T) {
	change := func(f func(*view)) view {
		v := vector("a")
		f(&v)
		return v
	}
	for name, v := range map[string]view{
		"negative offset": change(func(v *view) { v.offset = -1 }),
		"offset beyond":   change(func(v *view) { v.offset = 1 }),
		"offset overflow": change(func(v *view) { v.offset = math.MaxInt }),
		"negative axis":   change(func(v *view) { v.shape = []int{-1} }),
		"negative stride": change(func(v *view) { v.stride = []int{-1} }),
		"stride overflow": change(func(v *view) { v.stride = []int{math.MaxInt} }),
		"shape overflow": change(func(v *view) {
			v.shape, v.stride = []int{math.MaxInt>>31 + 1, math.MaxInt>>31 + 1}, []int{0, 0}
		}),
		"expands to 4 TB":  change(func(v *view) { v.shape, v.stride = []int{math.MaxInt >> 23}, []int{0} }),
		"ranks differ":     change(func(v *view) { v.stride = nil }),
		"no such record":   change(func(v *view) { v.key = "1" }),
		"path as key":      change(func(v *view) { v.key = "../data.pkl" }),
		"size too small":   change(func(v *view) { v.size, v.shape = 3, []int{3} }),
		"size too large":   change(func(v *view) { v.size = 5 }),
		"size absurd":      change(func(v *view) { v.size = math.MaxInt }),
		"size negative":    change(func(v *view) { v.size = -4 }),
		"wider type":       change(func(v *view) { v.class = "DoubleStorage" }),
		"unknown type":     change(func(v *view) { v.class = "QInt8Storage" }),
		"too many axes":    change(func(v *view) { v.shape, v.stride = make([]int, 65), make([]int, 65) }),
		"not even a class": change(func(v *view) { v.class = "nn" }),
	} {
		_, err := weights.ReadBytes(checkpoint(t, v))
		require.Error(t, err, name)
	}
	wide := vector("b")
	wide.class, wide.size, wide.shape = "DoubleStorage", 4, []int{4}
	_, err := weights.ReadBytes(checkpoint(t, vector("a"), wide))
	require.ErrorContains(t, err, "expected 4 elements of 8 bytes, got 16 bytes", "one storage by two types")

	many := make([]view, 1000)
	for i := range many {
		many[i] = vector(strings.Repeat("x", i+1))
		many[i].shape, many[i].stride = []int{1 << 20}, []int{0}
	}
	_, err = weights.ReadBytes(checkpoint(t, many...))
	require.ErrorContains(t, err, "far more data than the file holds")
}

func TestRefusesMalformedArchives(t *testing.T) {
	pkl := newPickler().dict(vector("a")).op(".").Bytes()
	data := record{"a/data/0", floats(1, 2, 3, 4)}
	for name, b := range map[string][]byte{
		"two pickles":   zipped(t, zip.Store, record{"a/data.pkl", pkl}, record{"b/data.pkl", pkl}, data),
		"record twice":  zipped(t, zip.Store, record{"a/data.pkl", pkl}, data, data),
		"byte order":    zipped(t, zip.Store, record{"a/data.pkl", pkl}, data, record{"a/byteorder", []byte("middle")}),
		"empty zip":     zipped(t, zip.Store),
		"other zip":     zipped(t, zip.Store, record{"readme.txt", nil}),
		"Keras":         zipped(t, zip.Store, record{"model.weights.h5", nil}),
		"giant pickle":  zipped(t, zip.Deflate, record{"a/data.pkl", make([]byte, 33<<20)}),
		"empty pickle":  zipped(t, zip.Store, record{"a/data.pkl", nil}),
		"empty dict":    zipped(t, zip.Store, record{"a/data.pkl", []byte("}.")}),
		"text in npz":   zipped(t, zip.Store, record{"a.npy", []byte("hello")}),
		"outside of it": zipped(t, zip.Store, record{"a/data.pkl", pkl}, record{"b/data/0", data.data}),
	} {
		_, err := weights.ReadBytes(b)
		require.Error(t, err, name)
	}
}

// overlapping returns an archive that lists one record many times in its directory.
func overlapping(t *testing.T) []byte {
	b := zipped(t, zip.Store, record{"a0/data.pkl", make([]byte, 500)})
	end := len(b) - 22 // the closing record without a comment
	start := int(binary.LittleEndian.Uint32(b[end+16:]))
	forged := bytes.Clone(b[:end])
	for i := 1; i < 5; i++ {
		at := len(forged)
		forged = append(forged, b[start:end]...)
		forged[at+46+1] = byte('0' + i) // the second letter of the name
	}
	closing := bytes.Clone(b[end:])
	binary.LittleEndian.PutUint16(closing[8:], 5)
	binary.LittleEndian.PutUint16(closing[10:], 5)
	binary.LittleEndian.PutUint32(closing[12:], uint32(5*(end-start)))
	return append(forged, closing...)
}

func TestRefusesOverlappingRecords(t *testing.T) {
	_, err := weights.ReadBytes(overlapping(t))
	require.ErrorContains(t, err, "overlap")
}

// TestHostilePickles runs pickles that no checkpoint contains. Each must give an error or a harmless value.
func TestHostilePickles(t *testing.T) {
	const cut, number, complex = "cut off", "absurd number", "too complex"
	for name, c := range map[string]struct{ pickle, want string }{
		"nothing":                {"", cut},
		"no stop":                {"}", cut},
		"pop of nothing":         {"0.", "stack is empty"},
		"text of 4 GB":           {"X\xff\xff\xff\xff", cut},
		"text of 2^63":           {"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f", cut},
		"text count cut":         {"\x8d\xff", cut},
		"frame of 2^62":          {"\x95\x00\x00\x00\x00\x00\x00\x00\x40.", cut},
		"frame beyond the end":   {"\x95\x02\x00\x00\x00\x00\x00\x00\x00.", cut},
		"line without end":       {"cos", cut},
		"second line":            {"cos\nsystem", cut},
		"number line":            {"I5", cut},
		"fixed argument":         {"Gxxx", cut},
		"number of 2 GB":         {"\x8b\xff\xff\xff\x7f", cut},
		"number of no bytes":     {"\x8a\x00.", number},
		"number of 65 bytes":     {"\x8a\x41" + strings.Repeat("x", 65) + ".", number},
		"long decimal":           {"L" + strings.Repeat("9", 2000) + "L\n.", number},
		"decimal":                {"Ix\n.", "invalid syntax"},
		"unhashable key":         {"ccollections\nOrderedDict\n)RC\x01aNs.", "malformed pickle"},
		"odd items":              {"}(Nu.", "malformed pickle"},
		"extension":              {"\x82\x01.", "not supported"},
		"out-of-band buffer":     {"\x97.", "not supported"},
		"unknown opcode":         {"\xff.", "not supported"},
		"persistent text":        {"P0\n.", "not supported"},
		"persistent nonsense":    {"NQ.", "persistent object"},
		"call of a number":       {"K\x01)R.", "Callable"},
		"endless nesting":        {strings.Repeat("(", 20_000) + ".", complex},
		"endless containers":     {strings.Repeat("}", 3<<20) + ".", complex},
		"list that holds itself": {"]q\x00h\x00a}b.", "BUILD"},
	} {
		_, err := weights.Unpickle([]byte(c.pickle))
		require.ErrorContains(t, err, c.want, name)
		require.Less(t, len(err.Error()), 300, "%s: errors stay readable", name)
	}
	// Nothing is called: the class is unknown, so the call does nothing.
	v, err := weights.Unpickle([]byte("cos\nsystem\n(X\x04\x00\x00\x00exittR."))
	require.NoError(t, err)
	require.Equal(t, "os.system", v.(interface{ String() string }).String())
}

// TestIgnoresWhatIsNotNeeded puts unknown objects of every kind into a checkpoint.
func TestIgnoresWhatIsNotNeeded(t *testing.T) {
	p := newPickler().op("}(")
	p.text("args").global("argparse", "Namespace").op(")\x81}(").text("lr").op("K\x01ub")
	p.text("scalar").global("numpy.core.multiarray", "scalar").op("(NNtR")
	p.text("set").global("__builtin__", "set").op("(]Nat").op("R")
	p.text("default").global("collections", "defaultdict").op("(").global("__builtin__", "list").op("tR")
	p.op("K\x05").text("number as key")
	p.text("queue").global("collections", "deque").op(")R(K\x01K\x02e")
	p.text("state_dict").op("N") // the key exists, but its value is not a dictionary
	p.text("model").op("}").text("state_dict").dict(vector("a")).op("s")
	p.op("u.")
	sd, err := weights.ReadBytes(zipped(t, zip.Store, record{"archive/data.pkl", p.Bytes()},
		record{"archive/data/0", floats(1, 2, 3, 4)}))
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, sd.Names())
}

func TestPrefersPlainOverAveragedWeights(t *testing.T) {
	p := newPickler().op("}(")
	p.text("state_dict_ema").dict(vector("ema"))
	p.text("net").dict(vector("net"))
	p.text("best").tensor(vector(""))
	p.op("u.")
	sd, err := weights.ReadBytes(zipped(t, zip.Store, record{"archive/data.pkl", p.Bytes()},
		record{"archive/data/0", floats(1, 2, 3, 4)}))
	require.NoError(t, err)
	require.Equal(t, []string{"net"}, sd.Names())
}

func TestStripsPrefixesOnlyFromAll(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{"module.a", "module.b"}, []string{"a", "b"}},
		{[]string{"_orig_mod.module.a", "_orig_mod.module.b"}, []string{"a", "b"}},
		{[]string{"module.module.a"}, []string{"a"}},
		{[]string{"module.a", "b"}, []string{"module.a", "b"}},
		{[]string{"module.a", "module."}, []string{"module.a", "module."}},
		{[]string{"modulea"}, []string{"modulea"}},
	} {
		var views []view
		for _, name := range c.in {
			views = append(views, vector(name))
		}
		sd, err := weights.ReadBytes(checkpoint(t, views...))
		require.NoError(t, err)
		require.Equal(t, c.want, sd.Names())
		for _, name := range c.want {
			got, ok := sd.Get(name)
			require.True(t, ok)
			require.Equal(t, name, got.Name)
		}
	}
}
