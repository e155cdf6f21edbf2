package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// storages gives access to the bytes of the storages of a PyTorch file.
type storages struct {
	// read returns the bytes of the storage with that key, at most limit.
	read  func(key string, limit int64) ([]byte, error)
	order binary.ByteOrder
	// budget limits the bytes of all tensors together: views can claim far more elements than the file has.
	budget int64
	cache  map[string][]byte
}

func newStorages(size int64, order binary.ByteOrder, read func(key string, limit int64) ([]byte, error)) *storages {
	return &storages{read: read, order: order, budget: 64<<20 + 16*min(size, math.MaxInt64/32),
		cache: map[string][]byte{}}
}

// stateDict finds the state dict in an unpickled object and returns its tensors.
func (a *storages) stateDict(root any) (*StateDict, error) {
	entries, err := selectStateDict(root)
	if err != nil {
		return nil, err
	}
	return a.tensors(entries)
}

// tensors resolves the tensors among entries. Other values have no meaning for a network and are left out.
func (a *storages) tensors(entries []entry) (*StateDict, error) {
	uses := map[string]int{}
	for _, e := range entries {
		if t, ok := e.value.(*lazyTensor); ok {
			uses[t.storage.key]++
		}
	}
	sd := &StateDict{}
	for _, e := range entries {
		switch v := e.value.(type) {
		case *lazyTensor:
			t, err := a.resolve(v)
			if err != nil {
				return nil, fmt.Errorf("tensor %q: %w", e.key, err)
			}
			t.Name = e.key
			if err := sd.Add(t); err != nil {
				return nil, err
			}
			if uses[v.storage.key]--; uses[v.storage.key] == 0 {
				delete(a.cache, v.storage.key)
			}
		case *opaque:
			if strings.HasPrefix(v.name, "_rebuild") {
				return nil, fmt.Errorf("tensor %q: tensors made by %s are not supported", e.key, v)
			}
		}
	}
	return sd, nil
}

// resolve copies the elements of a tensor out of its storage.
func (a *storages) resolve(v *lazyTensor) (Tensor, error) {
	dt, ok := torchTypes[v.storage.class]
	if !ok {
		return Tensor{}, fmt.Errorf("elements of %s are not supported", v.storage.class)
	}
	l := v.layout
	n, err := l.check(v.storage.length)
	if err != nil {
		return Tensor{}, err
	}
	l.offset += v.storage.from
	if a.budget -= int64(n) * 8; a.budget < 0 {
		return Tensor{}, errors.New("views expand to far more data than the file holds")
	}
	raw, err := a.storage(v.storage, dt.size)
	if err != nil {
		return Tensor{}, err
	}
	t := Tensor{Shape: l.shape}
	dt.fill(&t, raw, a.order, l, n)
	if v.negative {
		for i := range t.F32 {
			t.F32[i] = -t.F32[i]
		}
		for i := range t.I64 {
			t.I64[i] = -t.I64[i]
		}
	}
	return t, nil
}

// storage returns the bytes of a storage. Those that several tensors share are cached.
func (a *storages) storage(s *storage, size int) ([]byte, error) {
	raw, ok := a.cache[s.key]
	if !ok {
		if s.size > math.MaxInt/16 {
			return nil, fmt.Errorf("storage %q claims %d elements", s.key, s.size)
		}
		var err error
		if raw, err = a.read(s.key, int64(s.size)*int64(size)); err != nil {
			return nil, err
		}
		a.cache[s.key] = raw
	}
	if len(raw) != s.size*size { // also if two tensors use one storage with different types
		return nil, fmt.Errorf("storage %q: expected %d elements of %d bytes, got %d bytes", s.key, s.size, size,
			len(raw))
	}
	return raw, nil
}

// check returns the number of elements, and fails unless all lie in a storage of the given size.
func (l layout) check(size int) (int, error) {
	n, err := elements(l.shape)
	if err != nil {
		return 0, err
	}
	if l.offset < 0 || l.offset > size {
		return 0, fmt.Errorf("offset %d lies outside of its storage of %d elements", l.offset, size)
	}
	last := l.offset
	for i, d := range l.shape {
		if l.stride[i] < 0 {
			return 0, fmt.Errorf("expected strides of at least 0, got %v", l.stride)
		}
		if n == 0 || d == 1 || l.stride[i] == 0 {
			continue
		}
		if l.stride[i] > (size-last)/(d-1) {
			return 0, fmt.Errorf("shape %v with stride %v reaches outside of its storage of %d elements",
				l.shape, l.stride, size)
		}
		last += l.stride[i] * (d - 1)
	}
	if n > 0 && last >= size {
		return 0, fmt.Errorf("shape %v with stride %v reaches outside of its storage of %d elements",
			l.shape, l.stride, size)
	}
	return n, nil
}

// entry is a text key of a dictionary and its value.
type entry struct {
	key   string
	value any
}

// entries returns the text keys of a Python dictionary in order. If a key occurs several times, the last value counts.
func entries(v any) ([]entry, bool) {
	var out []entry
	at := map[string]int{}
	add := func(k, v any) {
		key, ok := k.(string)
		if !ok {
			return
		}
		if i, again := at[key]; again {
			out[i].value = v
			return
		}
		at[key] = len(out)
		out = append(out, entry{key, v})
	}
	switch d := v.(type) {
	case *types.Dict:
		for _, e := range *d {
			add(e.Key, e.Value)
		}
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			item := e.Value.(*types.OrderedDictEntry)
			add(item.Key, item.Value)
		}
	default:
		return nil, false
	}
	return out, true
}

// wrapperKeys are the keys under which training scripts store the state dict, in order of preference: averaged weights
// last.
var wrapperKeys = [...]string{
	"state_dict", "model_state_dict", "model", "net", "network", "state_dict_ema", "model_ema",
}

// maxNesting limits the search for the state dict, in files such as {"model": {"state_dict": ...}}.
const maxNesting = 4

func selectStateDict(root any) ([]entry, error) {
	if found := findStateDict(root, maxNesting); found != nil {
		return found, nil
	}
	top, isDict := entries(root)
	if !isDict {
		switch v := root.(type) {
		case *opaque:
			return nil, fmt.Errorf("expected a state dict, got a Python object of class %s: %s", v, resave)
		case *lazyTensor:
			return nil, errors.New("expected a state dict, got a single tensor")
		}
		return nil, errors.New("the file holds no dictionary of tensors: " + resave)
	}
	keys := make([]string, len(top))
	for i, e := range top {
		keys[i] = e.key
		if o, ok := e.value.(*opaque); ok {
			keys[i] += " (" + o.String() + ")"
		}
	}
	return nil, fmt.Errorf("no tensors at the top level nor under %q; the file has %s", wrapperKeys, shorten(keys))
}

func findStateDict(v any, depth int) []entry {
	d, ok := entries(v)
	if !ok || depth == 0 {
		return nil
	}
	for _, key := range wrapperKeys {
		for _, e := range d {
			if e.key != key {
				continue
			}
			if found := findStateDict(e.value, depth-1); found != nil {
				return found
			}
		}
	}
	for _, e := range d {
		if _, ok := e.value.(*lazyTensor); ok {
			return d
		}
	}
	return nil
}
