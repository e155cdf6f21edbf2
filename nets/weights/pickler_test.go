package weights_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets/weights"
)

// pickler writes the few opcodes of pickle protocol 2 that checkpoints consist of.
type pickler struct{ bytes.Buffer }

func newPickler() *pickler {
	p := &pickler{}
	p.WriteString("\x80\x02")
	return p
}

func (p *pickler) op(ops string) *pickler { p.WriteString(ops); return p }

func (p *pickler) global(module, name string) *pickler {
	return p.op("c" + module + "\n" + name + "\n")
}

func (p *pickler) text(s string) *pickler {
	p.WriteByte('X')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
	return p
}

// int writes a signed number of eight bytes, as Python does for numbers of more than four bytes.
func (p *pickler) int(n int) *pickler {
	p.WriteString("\x8a\x08")
	p.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return p
}

func (p *pickler) ints(ns []int) *pickler {
	p.op("(")
	for _, n := range ns {
		p.int(n)
	}
	return p.op("t")
}

// view describes a tensor of a test archive.
type view struct {
	name          string
	class, key    string
	size, offset  int
	shape, stride []int
	part          []int // first element and number of elements of the storage, the legacy format's view; nil for all
}

// tensor writes torch._utils._rebuild_tensor_v2(storage, offset, shape, stride, False, OrderedDict()).
func (p *pickler) tensor(v view) *pickler {
	p.global("torch._utils", "_rebuild_tensor_v2").op("((")
	p.text("storage").global("torch", v.class).text(v.key).text("cpu").int(v.size)
	if v.part != nil {
		p.op("(").text("view").int(v.part[0]).int(v.part[1]).op("t")
	}
	p.op("tQ")
	p.int(v.offset).ints(v.shape).ints(v.stride).op("\x89")
	return p.global("collections", "OrderedDict").op(")RtR")
}

func (p *pickler) dict(views ...view) *pickler {
	p.op("}(")
	for _, v := range views {
		p.text(v.name).tensor(v)
	}
	return p.op("u")
}

// record is a member of a test archive.
type record struct {
	name string
	data []byte
}

func zipped(t testing.TB, method uint16, records ...record) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, r := range records {
		w, err := z.CreateHeader(&zip.FileHeader{Name: r.name, Method: method})
		require.NoError(t, err)
		_, err = w.Write(r.data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return buf.Bytes()
}

// checkpoint returns an archive of one storage "0" with the floats 1, 2, 3, 4, and the given views of it.
func checkpoint(t testing.TB, views ...view) []byte {
	return zipped(t, zip.Store,
		record{"archive/data.pkl", newPickler().dict(views...).op(".").Bytes()},
		record{"archive/data/0", floats(1, 2, 3, 4)})
}

// legacy returns a file of the legacy format with these pickles of the object and of the keys, and these storages.
func legacy(object, keys []byte, storages ...[]byte) []byte {
	const version, system = "\x80\x02M\xe9\x03.", "\x80\x02}."
	return bytes.Join(append([][]byte{[]byte(weights.LegacyMagic + version + system), object, keys}, storages...), nil)
}

// stored returns a storage of floats in the legacy format.
func stored(vs ...float32) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(vs))), floats(vs...)...)
}

func floats(vs ...float32) []byte {
	var buf bytes.Buffer
	_ = binary.Write(&buf, binary.LittleEndian, vs)
	return buf.Bytes()
}
