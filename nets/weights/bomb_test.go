package weights_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets/weights"
)

// TestBombs: small files that unpack to gigabytes are refused with an error that names the file, without taking that
// much memory.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks gigabytes on one goroutine")
	}
	const elements = 1 << 27 // floats in a storage, 512 MiB
	zeros := make([]byte, 4*elements)
	one := func(i int) view {
		return view{name: fmt.Sprint("w", i), class: "FloatStorage", key: fmt.Sprint(i), size: elements,
			shape: []int{1}, stride: []int{1}}
	}
	small := func(i int) view { v := one(i); v.size = elements / 4; return v }
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"storage": {zipped(t, zip.Deflate, record{"a/data.pkl", newPickler().dict(one(0)).op(".").Bytes()},
			record{"a/data/0", zeros}), "to unpack to at most"},
		"storages": {zipped(t, zip.Deflate,
			record{"a/data.pkl", newPickler().dict(small(0), small(1), small(2)).op(".").Bytes()},
			record{"a/data/0", zeros[:elements]}, record{"a/data/1", zeros[:elements]},
			record{"a/data/2", zeros[:elements]}), `zip record "a/data/2"`},
		"pickle": {zipped(t, zip.Deflate,
			record{"a/data.pkl", []byte("\x80\x02" + strings.Repeat("N", 30<<20) + "}.")}), "too complex"},
		"npz": {zipped(t, zip.Deflate, record{"w.npy", zeros}), "far more than its size"},
	} {
		require.Less(t, len(c.file), 2<<20, name)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := weights.ReadFrom(bytes.NewReader(c.file), int64(len(c.file)), "f.pt")
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, "f.pt", name)
		require.ErrorContains(t, err, c.want, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(700<<20), name)
	}
}
