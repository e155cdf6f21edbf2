package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets/weights"
)

// facts holds what goline inspect prints, in order.
type facts struct {
	names  []string
	values map[string]any
}

// add appends a fact. If its name is taken, by a fact about another file, a number is appended to the name.
func (f *facts) add(name string, value any) {
	if f.values == nil {
		f.values = map[string]any{}
	}
	base := name
	for i := 2; slices.Contains(f.names, name); i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	f.names = append(f.names, name)
	f.values[name] = value
}

func newInspect() *cobra.Command {
	var (
		net            command.Network
		detector, data string
		asJSON         bool
	)
	cmd := &cobra.Command{
		Use:   "inspect [FILE] [--net NAME] [--weights FILE] [--detector det.npz] [--data DATA]",
		Short: "Say what a file, a network or a data set is",
		Long: `Print the facts of what is named: the architecture, the tensors of a weights file, a detector's parameters and how many
neurons and weights it keeps, the size and classes of a data set. FILE may be anything that goline reads or writes: a detector,
weights, a training checkpoint, features, scores, contributions, pictures or a DATA argument; it is told what it is. --net with
--weights checks that the two fit.`,
		Example: `  goline inspect detector.npz
  goline inspect checkpoint_100.pth.tar
  goline inspect cifar-10-batches-bin/test_batch.bin`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usagef("expected one FILE, got %d", len(args))
			}
			var f facts
			steps := []struct {
				when bool
				do   func(*facts) error
			}{
				{len(args) == 1, func(f *facts) error { return inspectFile(f, args[0], net) }},
				{net.Name != "", func(f *facts) error { return inspectNetwork(f, net) }},
				{net.Weights != "", func(f *facts) error { return inspectWeights(f, net.Weights) }},
				{detector != "", func(f *facts) error { return inspectDetector(f, detector) }},
				{data != "", func(f *facts) error { return inspectData(f, data) }},
			}
			any := false
			for _, s := range steps {
				if s.when {
					any = true
					if err := s.do(&f); err != nil {
						return err
					}
				}
			}
			if !any {
				return command.Usagef("nothing to inspect: name a FILE, --net, --weights, --detector or --data")
			}
			w := cmd.OutOrStdout()
			if !asJSON { // JSON escapes by itself
				w = command.PrintableWriter(w)
			}
			return f.print(w, asJSON)
		},
	}
	net.Register(cmd)
	cmd.Flags().StringVar(&detector, "detector", "", "`FILE` that goline fit wrote")
	cmd.Flags().StringVar(&data, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (f *facts) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return command.WriteJSON(w, f.values)
	}
	for _, name := range f.names {
		if rows, ok := f.values[name].([]layerFacts); ok {
			if err := printLayers(w, rows); err != nil {
				return err
			}
			continue
		}
		if rows, ok := f.values[name].([]tensorFacts); ok {
			t := command.NewTable(5, name, "shape", "type", "smallest", "largest")
			for _, r := range rows {
				t.AppendRow(table.Row{r.Name, fmt.Sprint(r.Shape), r.Type, readable(r.Min), readable(r.Max)})
			}
			if _, err := fmt.Fprintln(w, t.Render()); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(w, "%-22s %s\n", strings.ReplaceAll(name, "_", " "),
			readable(f.values[name])); err != nil {
			return err
		}
	}
	return nil
}

// readable formats a value for people.
func readable(value any) string {
	switch v := value.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', 6, 64)
	case []string:
		return strings.Join(v, ", ")
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fmt.Sprintf("%s %v", name, v[name]))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(value)
}

func inspectNetwork(f *facts, net command.Network) error {
	n, trained, err := net.OpenOrNew(10)
	if err != nil {
		return err
	}
	if trained {
		f.add("classes", n.Classes())
	}
	count := 0
	for _, p := range n.Params() {
		if !p.Buffer {
			count += len(p.Float32s())
		}
	}
	f.add("network", n.Name())
	f.add("input", n.InputShape())
	f.add("features", n.FeatureDim())
	f.add("trained_parameters", count)
	f.add("preprocessing", n.Preprocessing().String())
	return inspectLayers(f, n)
}

// tensorFacts describes one tensor of a weights file.
type tensorFacts struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Type  string  `json:"type"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

func inspectWeights(f *facts, path string) error {
	sd, err := weights.Read(path)
	if err != nil {
		return err
	}
	sha, err := weights.SHA256(path)
	if err != nil {
		return err
	}
	var rows []tensorFacts
	for t := range sd.All() {
		r := tensorFacts{Name: t.Name, Shape: t.Shape, Type: "float32", Min: math.Inf(1), Max: math.Inf(-1)}
		if t.Shape == nil {
			r.Shape = []int{}
		}
		for _, v := range t.F32 {
			r.Min, r.Max = min(r.Min, float64(v)), max(r.Max, float64(v))
		}
		for _, v := range t.I64 {
			r.Type = "int64"
			r.Min, r.Max = min(r.Min, float64(v)), max(r.Max, float64(v))
		}
		if t.Len() == 0 {
			r.Min, r.Max = 0, 0
		}
		if r.Min-r.Min != 0 || r.Max-r.Max != 0 {
			return fmt.Errorf("%s: tensor %s holds NaN or infinite values", path, t.Name)
		}
		rows = append(rows, r)
	}
	f.add("weights", path)
	f.add("sha256", sha)
	f.add("tensors", rows)
	return nil
}

func inspectDetector(f *facts, path string) error {
	det, err := line.Load(path)
	if err != nil {
		return err
	}
	n := det.Network()
	f.add("detector", path)
	f.add("fitted_to", n.Name())
	f.add("fingerprint", line.Fingerprint(n))
	f.add("fitted_preprocessing", det.Preprocessing().String())
	if det.Method() != "line" {
		f.add("method", det.Method())
		f.add("method_params", det.Params())
		if t, err := det.FitThreshold(); err == nil {
			f.add("threshold_fit_95", t) // for the same images that it was fitted to
		}
		return inspectCalibration(f, det)
	}
	f.add("line_params", det.Options().Params())
	images, neurons, kept := 0, 0, 0
	for c := range n.Classes() {
		images += det.Contributions().Count(c)
		neurons += count(det.ActiveNeurons(c))
		kept += count(det.ActiveWeights(c))
	}
	f.add("fitted_images", images)
	f.add("fitted_classes", n.Classes())
	if t, err := det.FitThreshold(); err == nil {
		f.add("threshold_fit_95", t) // for the same images that it was fitted to
	}
	if o := det.Options(); o.ClipPercentile != 0 && !o.NoClipping {
		var limits []float32
		for c := range n.Classes() {
			limits = append(limits, det.ClipLimits(c)...)
		}
		slices.Sort(limits)
		f.add("smallest_clip_limit", float64(limits[0]))
		f.add("median_clip_limit", float64(limits[len(limits)/2]))
		f.add("largest_clip_limit", float64(limits[len(limits)-1]))
	}
	if err := inspectCalibration(f, det); err != nil {
		return err
	}
	f.add("neurons_kept_percent", 100*float64(neurons)/float64(n.Classes()*n.FeatureDim()))
	f.add("weights_kept_percent", 100*float64(kept)/float64(n.Classes()*n.Classes()*n.FeatureDim()))
	return nil
}

// inspectCalibration adds how many pictures a detector knows, and what it promises if it was calibrated.
func inspectCalibration(f *facts, det *line.Detector) error {
	if known := len(det.FitPictures()); known > 0 {
		f.add("fitted_pictures_known", known)
	}
	c, err := det.Calibrator()
	if errors.Is(err, line.ErrNotCalibrated) {
		return nil
	}
	if err != nil {
		return err
	}
	o := c.Options()
	f.add("calibration_images", c.N())
	f.add("calibration_alpha", o.Alpha)
	f.add("calibration_adjustment", o.Adjustment.String())
	f.add("calibration_delta", o.Delta)
	t, err := c.Thresholds(o.Alpha)
	if err != nil {
		return err
	}
	if o.MinPerClass > 0 {
		f.add("calibration_per_class", o.MinPerClass)
		return nil
	}
	bound, err := t[0].Bound(o.Delta)
	if err != nil {
		return err
	}
	f.add("calibration_threshold", t[0].Score)
	f.add("calibration_rate_bound", bound) // of the false-alarm rate of the threshold, with probability 1 - delta
	return nil
}

func count(keep []bool) (n int) {
	for _, k := range keep {
		if k {
			n++
		}
	}
	return n
}

func inspectData(f *facts, spec string) error {
	set, err := dataset.Open(spec)
	if err != nil {
		return err
	}
	defer set.Close()
	f.add("data", spec)
	f.add("images", set.Len())
	first, err := set.Image(0)
	if err != nil {
		return err
	}
	f.add("first_image", fmt.Sprintf("%s, %d×%d", set.ID(0), first.Width, first.Height))
	labels := map[int]int{}
	for _, l := range set.Labels() {
		labels[l]++
	}
	f.add("labelled", set.Labels() != nil)
	if set.Labels() != nil {
		f.add("classes_present", len(labels))
		if names := set.Classes(); names != nil {
			f.add("class_names", names)
		}
	}
	return nil
}
