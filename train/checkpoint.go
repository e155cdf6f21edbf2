package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/line-ood/goline/internal/npyz"
)

const checkpointFormat = "goline training checkpoint 2"

// tensors returns, by name, all tensors that the later weights of a run depend on.
func (r *run) tensors() map[string][]float32 {
	all := map[string][]float32{}
	for i, p := range r.net.Params() {
		all["param/"+p.Name] = p.Float32s()
		if r.average != nil {
			all["average/"+p.Name] = r.average.values[i]
		}
	}
	for name, values := range r.optimizer.State() {
		for i, p := range r.program.Params() {
			all[name+"/"+p.Name] = values[i]
		}
	}
	return all
}

// save writes a checkpoint, complete or not at all. Weights that are not finite are an error, so that the last good
// checkpoint is kept.
func (r *run) save() error {
	if r.c.Checkpoint == "" {
		return nil
	}
	all := r.tensors()
	for name, values := range all {
		for _, v := range values {
			if v-v != 0 { // NaN or infinite
				return fmt.Errorf("train: after step %d %s holds %v; %s keeps the last good checkpoint: %w",
					r.state.Step, name, v, r.c.Checkpoint, ErrDiverged)
			}
		}
	}
	s := r.state
	s.Seconds = r.spentBefore + time.Since(r.epochBegan).Seconds()
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	arrays := []npyz.Named{
		{Name: "format", Array: npyz.Scalar(checkpointFormat)},
		{Name: "identity", Array: npyz.Scalar(r.c.identity(r.net, r.data, r.content))},
		{Name: "state", Array: npyz.Scalar(string(text))},
		{Name: "optimizer_steps", Array: npyz.Scalar(int64(r.optimizer.Steps()))},
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		arrays = append(arrays, npyz.Named{Name: name, Array: npyz.New(all[name])})
	}
	if err := npyz.WriteNpz(r.c.Checkpoint, npyz.Stored, arrays...); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	r.saved = r.state.Step
	return nil
}

// restore continues the run from its checkpoint; without a checkpoint the run starts from the beginning.
func (r *run) restore() error {
	a, err := npyz.ReadNpz(r.c.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	if err := r.take(a); err != nil {
		return fmt.Errorf("train: checkpoint %s: %w", r.c.Checkpoint, err)
	}
	return nil
}

// sameTensors returns an error unless the checkpoint holds exactly the run's tensors, with the same sizes. Networks
// with the same name can differ.
func (r *run) sameTensors(a *npyz.Archive) error {
	mine := r.tensors()
	for name, array := range a.All() {
		if !strings.Contains(name, "/") {
			continue
		}
		if values, ok := mine[name]; !ok || len(values) != array.Len() {
			return fmt.Errorf("%w: %s: expected %d values, got %d", ErrMismatch, name, len(values), array.Len())
		}
	}
	for name, values := range mine {
		if !a.Has(name) {
			return fmt.Errorf("%w: %s: expected %d values, got none", ErrMismatch, name, len(values))
		}
	}
	return nil
}

// difference lists the settings in which two identities differ, with both values.
func difference(got, want string) string {
	var a, b map[string]any
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return "its settings cannot be read"
	}
	said := map[string]string{"Content": "images and labels", "Images": "number of images",
		"Classes": "number of classes", "AverageDecay": "EMADecay"}
	var parts []string
	var visit func(prefix string, a, b map[string]any)
	visit = func(prefix string, a, b map[string]any) {
		keys := map[string]bool{}
		for k := range a {
			keys[k] = true
		}
		for k := range b {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			x, inA := a[k].(map[string]any)
			y, inB := b[k].(map[string]any)
			name := prefix + k
			if other, ok := said[k]; ok {
				name = other
			}
			switch {
			case inA && inB:
				visit(name+".", x, y)
			case !reflect.DeepEqual(a[k], b[k]):
				parts = append(parts, fmt.Sprintf("%s: expected %.40s, got %.40s", name, fmt.Sprint(b[k]),
					fmt.Sprint(a[k])))
			}
		}
	}
	visit("", a, b)
	if len(parts) == 0 {
		return "its settings are others"
	}
	return strings.Join(parts, "; ")
}

func (r *run) take(a *npyz.Archive) error {
	for _, name := range []string{"format", "identity", "state", "optimizer_steps"} {
		if !a.Has(name) {
			return fmt.Errorf("no entry %q: it is not a checkpoint of training", name)
		}
	}
	if format, err := a.String("format"); err != nil || format != checkpointFormat {
		return fmt.Errorf("format: expected %q, got %q", checkpointFormat, format)
	}
	identity, err := a.String("identity")
	if err != nil {
		return err
	}
	if want := r.c.identity(r.net, r.data, r.content); identity != want {
		return fmt.Errorf("%w: %s", ErrMismatch, difference(identity, want))
	}
	text, err := a.String("state")
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if s.Step < 0 || s.Step > r.totalSteps() || len(s.Curve) > r.c.Epochs {
		return fmt.Errorf("expected a step from 0 to %d in at most %d epochs, got %d in %d", r.totalSteps(), r.c.Epochs,
			s.Step, len(s.Curve))
	}
	steps, err := a.Ints("optimizer_steps")
	if err != nil {
		return err
	}
	if len(steps) != 1 || steps[0] != s.Step {
		return fmt.Errorf("optimizer_steps: expected [%d], got %v", s.Step, steps)
	}
	if err := r.sameTensors(a); err != nil {
		return err
	}
	values := map[string][]float32{}
	for name, dst := range r.tensors() {
		if values[name], err = a.Float32(name, len(dst)); err != nil {
			return err
		}
	}
	for name, dst := range r.tensors() { // only after all have been found
		copy(dst, values[name])
	}
	r.optimizer.SetSteps(steps[0])
	r.state, r.saved = s, s.Step
	r.state.Resumed++
	return nil
}
