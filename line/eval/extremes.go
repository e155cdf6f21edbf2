package eval

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/png"
	"slices"

	"golang.org/x/image/draw"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// ExtremeOptions says what [Extremes] shows. The zero value shows the four highest and the four lowest pictures with
// four neurons each.
type ExtremeOptions struct {
	Pictures int // number of pictures with the highest scores, and of those with the lowest; 0 for 4
	Neurons  int // number of neurons of each picture; 0 for 4
	Side     int // longest side of the copies in pixels, to which larger pictures are reduced; 0 for 96
	// Classes are the names of the network's classes; nil where they are not known.
	Classes []string
	// Keep returns which neurons the method keeps for a class [features]; nil stands for all neurons.
	Keep func(class int) []bool
}

// Extremes returns the pictures of a set with the highest and the lowest scores of a method; ties keep the order of
// the set. Each picture comes with the class of its largest logit and with the neurons most important for that class.
// These are the neurons with the largest positive contribution W[class, i] z[i], gradient times activation of the
// logit, among those that the method keeps.
//
// pictures holds the set's pictures in the order of its samples and of scores. It is an error if their numbers
// differ, if head does not have the shape of the samples, or if a picture cannot be read.
func Extremes(set Set, pictures dataset.Dataset, method string, scores []float64, head posthoc.Head,
	o ExtremeOptions) (report.Pictures, error) {
	out := report.Pictures{Set: set.Name, Method: method}
	if pictures.Len() != set.N || len(scores) != set.N {
		return out, fmt.Errorf("extremes%s: expected %d pictures and scores, got %d and %d", on(set.Name), set.N,
			pictures.Len(), len(scores))
	}
	if set.FeatureDim > 0 && (head.FeatureDim != set.FeatureDim || head.Classes != set.Classes) {
		return out, fmt.Errorf("extremes%s: expected a head of %d features and %d classes, got %d and %d", on(set.Name),
			set.FeatureDim, set.Classes, head.FeatureDim, head.Classes)
	}
	o.Pictures, o.Neurons, o.Side = cmp.Or(o.Pictures, 4), cmp.Or(o.Neurons, 4), cmp.Or(o.Side, 96)
	order := make([]int, set.N)
	for i := range order {
		order[i] = i
	}
	predicted := set.Samples.Predictions()
	take := func(sign int) (found []report.Picture, err error) {
		slices.SortStableFunc(order, func(a, b int) int { return sign * cmp.Compare(scores[a], scores[b]) })
		for _, i := range order[:min(o.Pictures, set.N)] {
			p := report.Picture{Caption: pictures.ID(i), Score: scores[i], Prediction: className(o.Classes,
				predicted[i])}
			if set.Labels != nil && set.Labels[i] >= 0 && set.Labels[i] != predicted[i] {
				p.Label = className(o.Classes, set.Labels[i])
			}
			p.Neurons = importantNeurons(set, i, predicted[i], head, o)
			if p.PNG, err = thumbnail(pictures, i, o.Side); err != nil {
				return nil, fmt.Errorf("extremes%s: %w", on(set.Name), err)
			}
			found = append(found, p)
		}
		return found, nil
	}
	var err error
	if out.Most, err = take(-1); err != nil {
		return out, err
	}
	slices.Sort(order) // ties keep the order of the set
	out.Least, err = take(1)
	return out, err
}

// className is the class's name, or its number where it has none.
func className(names []string, class int) string {
	if class < len(names) && names[class] != "" {
		return names[class]
	}
	return fmt.Sprintf("class %d", class)
}

// importantNeurons returns the neurons most important for a class, the most important first.
func importantNeurons(set Set, i, class int, head posthoc.Head, o ExtremeOptions) (out []report.Neuron) {
	if set.FeatureDim == 0 {
		return nil
	}
	var keep []bool
	if o.Keep != nil {
		keep = o.Keep(class)
	}
	z, w := set.Features[i*set.FeatureDim:][:set.FeatureDim], head.Weight[class*set.FeatureDim:][:set.FeatureDim]
	for j := range z {
		if c := float64(w[j]) * float64(z[j]); c > 0 && (keep == nil || keep[j]) {
			out = append(out, report.Neuron{Index: j, Contribution: c})
		}
	}
	slices.SortStableFunc(out, func(a, b report.Neuron) int { return cmp.Compare(b.Contribution, a.Contribution) })
	return out[:min(o.Neurons, len(out))]
}

// thumbnail returns a picture as PNG, reduced so that its longer side has at most side pixels.
func thumbnail(pictures dataset.Dataset, i, side int) ([]byte, error) {
	from, err := pictures.Image(i)
	if err != nil {
		return nil, err
	}
	var small image.Image = from
	if longer := max(from.Width, from.Height); longer > side {
		scaled := image.NewRGBA(image.Rect(0, 0, max(1, from.Width*side/longer), max(1, from.Height*side/longer)))
		draw.CatmullRom.Scale(scaled, scaled.Bounds(), from, from.Bounds(), draw.Src, nil)
		small = scaled
	}
	var out bytes.Buffer
	err = png.Encode(&out, small)
	return out.Bytes(), err
}
