package nets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
)

// ParsePreprocessing returns the preset of that name, or reads the JSON file at that path. (For a file with the name of
// a preset, write ./NAME.) The file holds one object. If a key is missing, its step is left out, or the first choice is
// taken:
//
//	{
//	  "resize": 256,                    the shorter side; [256, 320] stretches to a height and a width
//	  "interpolation": "bicubic",       bilinear, bicubic or nearest
//	  "crop": 224,
//	  "channels": "BGR",                RGB or BGR
//	  "mean": [0.485, 0.456, 0.406],    after division by 255, in the order of the channels
//	  "std": [0.229, 0.224, 0.225],
//	  "layout": "NHWC"                  NCHW or NHWC
//	}
//
// Other content of the file is an error that names the file and the key. An argument that is neither a preset nor a
// file is an error that lists the presets.
func ParsePreprocessing(arg string) (Preprocessing, error) {
	if p, err := Preset(arg); err == nil {
		return p, nil
	}
	data, err := readSmall(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Preprocessing{}, fmt.Errorf("preprocessing: expected a JSON file or one of %s, got %q: %w",
			strings.Join(Presets(), ", "), arg, fs.ErrNotExist)
	case err != nil:
		return Preprocessing{}, fmt.Errorf("preprocessing: %w", err)
	}
	var p Preprocessing
	if err := p.UnmarshalJSON(data); err != nil {
		return Preprocessing{}, fmt.Errorf("preprocessing %s: %w", arg, err)
	}
	return p, nil
}

// maxPreprocessingFile is the largest size of a file in bytes.
const maxPreprocessingFile = 1 << 20

// readSmall reads a regular file of at most that size.
func readSmall(path string) ([]byte, error) {
	switch info, err := fs.Stat(fsfile.Disk(), path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: expected a file", path)
	case info.Size() > maxPreprocessingFile:
		return nil, fmt.Errorf("%s: expected a JSON file of at most %d bytes, got %d", path, maxPreprocessingFile,
			info.Size())
	}
	return fsfile.ReadRegular(path)
}

// preprocessingJSON is the content of a preprocessing file.
type preprocessingJSON struct {
	Resize        any         `json:"resize,omitempty"`
	Interpolation string      `json:"interpolation,omitempty"`
	Crop          int         `json:"crop,omitempty"`
	Channels      string      `json:"channels,omitempty"`
	Mean          *[3]float32 `json:"mean,omitempty"`
	Std           *[3]float32 `json:"std,omitempty"`
	Layout        string      `json:"layout,omitempty"`
}

// MarshalJSON writes the keys that [ParsePreprocessing] describes, without those that have no effect. It is an error if
// the preprocessing does not pass [Preprocessing.Check].
func (p Preprocessing) MarshalJSON() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	out := preprocessingJSON{Crop: p.Crop}
	switch {
	case p.Resize != 0:
		out.Resize = p.Resize
	case p.ResizeTo != [2]int{}:
		out.Resize = p.ResizeTo
	}
	if p.Interpolation != Bilinear {
		out.Interpolation = p.Interpolation.String()
	}
	if p.Channels != RGB {
		out.Channels = p.Channels.String()
	}
	if p.Mean != [3]float32{} {
		out.Mean = &p.Mean
	}
	if p.Std != ones {
		out.Std = &p.Std
	}
	if p.Layout != NCHW {
		out.Layout = p.Layout.String()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the object that [ParsePreprocessing] describes, with the same errors except for the file's name.
func (p *Preprocessing) UnmarshalJSON(data []byte) error {
	fields, err := objectOf(data)
	if err != nil {
		return err
	}
	q := Preprocessing{Std: ones}
	for _, f := range fields {
		if err := q.set(f.key, f.value); err != nil {
			return fmt.Errorf("key %q: %w", f.key, err)
		}
	}
	if err := q.Check(); err != nil {
		return err
	}
	*p = q
	return nil
}

// preprocessingKeys lists the keys of the file.
var preprocessingKeys = []string{"resize", "interpolation", "crop", "channels", "mean", "std", "layout"}

// set sets the field of a key.
func (p *Preprocessing) set(key string, value json.RawMessage) (err error) {
	switch key {
	case "resize":
		if bytes.HasPrefix(value, []byte("[")) {
			var to []int
			if err := json.Unmarshal(value, &to); err != nil || len(to) != 2 || min(to[0], to[1]) < 1 {
				return fmt.Errorf("expected a length in pixels or [height, width], got %s", abridge(value))
			}
			p.ResizeTo = [2]int(to)
			return nil
		}
		p.Resize, err = length(value)
	case "crop":
		p.Crop, err = length(value)
	case "mean":
		p.Mean, err = triple(value, false)
	case "std":
		p.Std, err = triple(value, true)
	case "interpolation":
		err = choose(value, interpolations, (*uint8)(&p.Interpolation))
	case "channels":
		err = choose(value, channelOrders, (*uint8)(&p.Channels))
	case "layout":
		err = choose(value, layouts, (*uint8)(&p.Layout))
	default:
		err = fmt.Errorf("expected one of %s", strings.Join(preprocessingKeys, ", "))
	}
	return err
}

// length parses a positive number of pixels.
func length(value json.RawMessage) (int, error) {
	n := 0
	if err := json.Unmarshal(value, &n); err != nil || n < 1 {
		return 0, fmt.Errorf("expected a length in pixels of at least 1, got %s", abridge(value))
	}
	return n, nil
}

// triple parses one number for each channel.
func triple(value json.RawMessage, positive bool) ([3]float32, error) {
	what := "three numbers"
	if positive {
		what = "three positive numbers"
	}
	var v []*float32
	err := json.Unmarshal(value, &v)
	bad := func(x *float32) bool { return x == nil || positive && *x <= 0 }
	if err != nil || len(v) != 3 || slices.ContainsFunc(v, bad) {
		return [3]float32{}, fmt.Errorf("expected %s, got %s", what, abridge(value))
	}
	return [3]float32{*v[0], *v[1], *v[2]}, nil
}

// choose parses the name of a choice.
func choose(value json.RawMessage, from choices, to *uint8) (err error) {
	var name *string
	if err := json.Unmarshal(value, &name); err != nil || name == nil {
		return fmt.Errorf("expected one of %s, got %s", from, abridge(value))
	}
	*to, err = from.value(*name)
	return err
}

// abridge returns the start of a value, for errors.
func abridge(value json.RawMessage) string {
	const shown = 60
	if len(value) > shown {
		return fmt.Sprintf("%s…", bytes.ToValidUTF8(value[:shown], nil))
	}
	return string(value)
}

// field is a key of a JSON object and its value.
type field struct {
	key   string
	value json.RawMessage
}

// objectOf returns the fields of a JSON object. Keys that occur twice are an error.
func objectOf(data []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, notObject(err)
	}
	var fields []field
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, notObject(err)
		}
		if slices.ContainsFunc(fields, func(f field) bool { return f.key == key }) {
			return nil, fmt.Errorf("key %q: it comes twice", key)
		}
		f := field{key: key}
		if err := d.Decode(&f.value); err != nil {
			return nil, fmt.Errorf("key %q: %w", key, notObject(err))
		}
		fields = append(fields, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, notObject(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected nothing behind the JSON object")
	}
	return fields, nil
}

func notObject(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errors.New("expected one JSON object")
	}
	return fmt.Errorf("expected one JSON object: %w", err)
}
