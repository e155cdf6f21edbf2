package damage

import (
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Message returns a copy of a protocol buffer with one wrong field in one of its messages, but well formed: a number at
// an extreme or off by one, a name from elsewhere in the message, bytes with a defect, a list element missing, doubled,
// moved or inserted, or a submessage missing.
func Message(m proto.Message, rng *rand.Rand) proto.Message {
	out := proto.Clone(m)
	var all []protoreflect.Message
	var names []string
	walk(out.ProtoReflect(), func(m protoreflect.Message, name string) {
		if m != nil {
			all = append(all, m)
		} else {
			names = append(names, name)
		}
	})
	d := defects{rng, names}
	for range 10 { // a chosen message without set fields has nothing to change
		victim := all[rng.IntN(len(all))]
		var fields []protoreflect.FieldDescriptor
		every := rng.IntN(6) == 0
		for i := range victim.Descriptor().Fields().Len() {
			f := victim.Descriptor().Fields().Get(i)
			if !f.IsMap() && (victim.Has(f) || every) {
				fields = append(fields, f)
			}
		}
		if len(fields) > 0 {
			d.change(victim, fields[rng.IntN(len(fields))])
			break
		}
	}
	return out
}

// walk calls visit for a message, for those inside it, and with (nil, s) for each string s.
func walk(m protoreflect.Message, visit func(protoreflect.Message, string)) {
	visit(m, "")
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if f.IsMap() || !m.Has(f) {
			continue
		}
		values := []protoreflect.Value{m.Get(f)}
		if f.IsList() {
			values = values[:0]
			for l, k := m.Get(f).List(), 0; k < l.Len(); k++ {
				values = append(values, l.Get(k))
			}
		}
		for _, v := range values {
			switch f.Kind() {
			case protoreflect.MessageKind, protoreflect.GroupKind:
				walk(v.Message(), visit)
			case protoreflect.StringKind:
				visit(nil, v.String())
			}
		}
	}
}

type defects struct {
	rng   *rand.Rand
	names []string // all strings of the whole message
}

func (d defects) change(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	isMessage := f.Kind() == protoreflect.MessageKind || f.Kind() == protoreflect.GroupKind
	switch {
	case f.IsList():
		d.changeList(m.Mutable(f).List(), f, isMessage)
	case !isMessage:
		m.Set(f, d.value(f, m.Get(f)))
	case m.Has(f):
		m.Clear(f)
	default:
		m.Set(f, m.NewField(f))
	}
}

func (d defects) changeList(l protoreflect.List, f protoreflect.FieldDescriptor, isMessage bool) {
	kind := d.rng.IntN(5)
	if l.Len() == 0 {
		kind = 4
	}
	switch at := d.rng.IntN(max(l.Len(), 1)); kind {
	case 0: // remove the element
		for i := at + 1; i < l.Len(); i++ {
			l.Set(i-1, l.Get(i))
		}
		l.Truncate(l.Len() - 1)
	case 1: // double it
		l.Append(l.Get(at))
	case 2: // exchange it with another
		other := d.rng.IntN(l.Len())
		a, b := l.Get(at), l.Get(other)
		l.Set(at, b)
		l.Set(other, a)
	case 3:
		if !isMessage {
			l.Set(at, d.value(f, l.Get(at)))
			return
		}
		l.Set(at, l.Get(d.rng.IntN(l.Len())))
	case 4:
		v := l.NewElement()
		if !isMessage {
			v = d.value(f, v)
		}
		l.Append(v)
	}
}

// value returns a value for a field that differs from v.
func (d defects) value(f protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!v.Bool())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(v.Enum() + protoreflect.EnumNumber(1+d.rng.IntN(20)))
	case protoreflect.StringKind:
		if len(d.names) > 0 && d.rng.IntN(4) > 0 {
			return protoreflect.ValueOfString(d.names[d.rng.IntN(len(d.names))])
		}
		return protoreflect.ValueOfString(strings.ToValidUTF8(string(Defect([]byte(v.String()), d.rng)), "?"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(Defect(v.Bytes(), d.rng))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(d.float(v.Float())))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(d.float(v.Float()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(d.integer(uint64(v.Int()))))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(d.integer(uint64(v.Int()))))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(d.integer(v.Uint())))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(d.integer(v.Uint()))
	}
	return v
}

func (d defects) integer(n uint64) uint64 {
	switch d.rng.IntN(4) {
	case 0:
		return n + 1
	case 1:
		return n - 1
	case 2:
		return -n
	}
	return numbers[d.rng.IntN(len(numbers))]
}

func (d defects) float(x float64) float64 {
	return []float64{0, -x, x + 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat32, 1e-45}[d.rng.IntN(8)]
}
