package weights

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"

	"github.com/line-ood/goline/internal/fsfile"
)

// storageClass stands for a class such as torch.FloatStorage.
type storageClass struct{ name string }

// storage is a reference to stored elements. Their bytes are read only if a tensor of the state dict needs them.
type storage struct {
	class string
	key   string
	size  int // number of elements
	// from and length are the range of elements that tensors can use: all of them, except for views of the legacy
	// format.
	from, length int
}

// lazyTensor is a view into a storage.
type lazyTensor struct {
	storage *storage
	layout  layout
	// negative says that the tensor's elements are those of the storage with opposite signs: PyTorch's negative bit.
	negative bool
}

// opaque stands for a class that tensors do not need, and for its instances. It only holds the class's name; nothing
// that a pickle does with it has an effect.
type opaque struct{ module, name string }

func (o *opaque) String() string            { return o.module + "." + o.name }
func (o *opaque) Call(...any) (any, error)  { return o, nil }
func (o *opaque) PyNew(...any) (any, error) { return o, nil }
func (o *opaque) PySetState(any) error      { return nil }
func (o *opaque) Set(_, _ any)              {}
func (o *opaque) Append(any)                {}
func (o *opaque) Add(any)                   {}

// function implements a Python callable that the interpreter supports.
type function func(args []any) (any, error)

func (f function) Call(args ...any) (any, error) { return f(args) }

// unpickle interprets the pickle at the start of data, from a PyTorch file. Only the classes that tensors and
// dictionaries need are supported; all others become opaque. persistent resolves the persistent IDs in the pickle.
func unpickle(data []byte, persistent func(id any) (any, error)) (v any, err error) {
	defer func() {
		if p := recover(); p != nil { // the unpickler may panic on indices and keys in the file
			v, err = nil, fmt.Errorf("malformed pickle: %s", fsfile.GaveUp(p))
		}
	}()
	if _, err := scanPickle(data); err != nil {
		return nil, err
	}
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = findClass
	u.PersistentLoad = persistent
	v, err = u.Load()
	if err != nil {
		return nil, fmt.Errorf("pickle: %.200s", err.Error()) // cut, since the unpickler prints whole objects
	}
	return v, nil
}

func findClass(module, name string) (any, error) {
	switch module + "." + name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return function(rebuildTensor), nil
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		return function(firstArgument), nil
	case "torch._tensor._rebuild_from_type_v2":
		return function(rebuildFromType), nil
	case "torch.Size":
		return function(firstArgument), nil
	case "collections.defaultdict":
		return function(func([]any) (any, error) { return types.NewDict(), nil }), nil
	}
	if module == "torch" && strings.HasSuffix(name, "Storage") {
		return &storageClass{name: name}, nil
	}
	return &opaque{module: module, name: name}, nil
}

// persistentLoad turns the persistent ID ("storage", class, key, device, elements) into a storage. The legacy format
// has a sixth item, (key, first element, elements) for a view of the storage. It also saves modules as ("module",
// class, file, source).
func persistentLoad(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if ok && t.Len() > 1 && t.Get(0) == "module" {
		return t.Get(1), nil
	}
	if !ok || t.Len() < 5 || t.Get(0) != "storage" {
		return nil, errors.New("unknown kind of persistent object")
	}
	var class string
	switch c := t.Get(1).(type) {
	case *storageClass:
		class = c.name
	case *opaque:
		class = c.String()
	default:
		return nil, errors.New("storage without a class")
	}
	key, isText := t.Get(2).(string)
	size, isInt := t.Get(4).(int)
	if !isText || !isInt || size < 0 {
		return nil, errors.New("storage with a malformed key or size")
	}
	s := &storage{class: class, key: key, size: size, length: size}
	if t.Len() > 5 && t.Get(5) != nil {
		view, ok := t.Get(5).(*types.Tuple)
		if !ok || view.Len() != 3 {
			return nil, fmt.Errorf("storage %q with a malformed view", key)
		}
		var isFrom, isLength bool
		s.from, isFrom = view.Get(1).(int)
		s.length, isLength = view.Get(2).(int)
		if !isFrom || !isLength || s.from < 0 || s.length < 0 || s.from > size || s.length > size-s.from {
			return nil, fmt.Errorf("storage %q of %d elements with a view outside of it", key, size)
		}
	}
	return s, nil
}

// rebuildTensor implements torch._utils._rebuild_tensor_v2. It uses storage, offset, shape and stride; whether the
// tensor needs gradients, and its hooks, do not matter. If metadata follow, they change the meaning of the elements.
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 {
		return nil, errors.New("tensor with too few arguments")
	}
	s, ok := args[0].(*storage)
	offset, isInt := args[1].(int)
	shape, isShape := ints(args[2])
	stride, isStride := ints(args[3])
	if !ok || !isInt || !isShape || !isStride || len(shape) != len(stride) {
		return nil, errors.New("tensor with malformed arguments")
	}
	t := &lazyTensor{storage: s, layout: layout{offset: offset, shape: shape, stride: stride}}
	if len(args) > 6 {
		var err error
		if t.negative, err = negativeBit(args[6]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// negativeBit reads the metadata of a tensor (torch/csrc/jit/serialization, setTensorMetadata): a dictionary of the
// bits that are set in a lazy view. For real elements only "neg" has a meaning. Anything else is an error, because
// ignoring it would give another tensor.
func negativeBit(metadata any) (negative bool, err error) {
	if metadata == nil {
		return false, nil
	}
	d, ok := metadata.(*types.Dict)
	if !ok {
		return false, errors.New("tensor with malformed metadata")
	}
	for _, e := range *d {
		set, isBool := e.Value.(bool)
		switch {
		case e.Key == "neg" && isBool:
			negative = set
		case e.Key == "conj" && isBool && !set:
		default:
			return false, fmt.Errorf("tensor with metadata %.50q = %.50q: it is not supported", fmt.Sprint(e.Key),
				fmt.Sprint(e.Value))
		}
	}
	return negative, nil
}

// firstArgument implements torch.nn.Parameter and torch.Size, which only wrap their argument.
func firstArgument(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("call without arguments")
	}
	return args[0], nil
}

// rebuildFromType implements the rebuilding of a tensor subclass from (function, class, arguments, state). It ignores
// class and state.
func rebuildFromType(args []any) (any, error) {
	if len(args) < 3 {
		return nil, errors.New("tensor with too few arguments")
	}
	f, isFunc := args[0].(types.Callable)
	inner, isTuple := args[2].(*types.Tuple)
	if !isFunc || !isTuple {
		return nil, errors.New("tensor with malformed arguments")
	}
	if fn, ok := f.(function); ok {
		return fn(*inner)
	}
	return f, nil // opaque: an error names it if a tensor needs it
}

func ints(v any) ([]int, bool) {
	var items []any
	switch t := v.(type) {
	case *types.Tuple:
		items = *t
	case *types.List:
		items = *t
	default:
		return nil, false
	}
	out := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int)
		if !ok {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}
