package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// shardArray is the name of the array with the extent of a shard, as JSON.
const shardArray = "shard"

// WriteFeaturesShard is [WriteFeatures] for the images of one shard. The file also holds the shard's extent, which
// [MergeFeatures] needs.
func WriteFeaturesShard(ctx context.Context, path string, program *graph.Program, net nets.Classifier,
	images graph.Batches, e dataset.Extent) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return writeFeatures(ctx, path, program, net, images, e.Images,
		npyz.Named{Name: shardArray, Array: npyz.Scalar(string(text))})
}

// EncodeFeaturesShard writes samples that are in memory in the format of [WriteFeaturesShard]. Labels may be nil.
func EncodeFeaturesShard(w io.Writer, s posthoc.Samples, e dataset.Extent) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if s.N != e.Images {
		return fmt.Errorf("expected features of the shard's %d images, got %d", e.Images, s.N)
	}
	labels := make([]int64, s.N)
	for i := range labels {
		if labels[i] = -1; s.Labels != nil {
			labels[i] = int64(s.Labels[i])
		}
	}
	return npyz.FillNpz(w, npyz.Stored, func(z *npyz.Writer) error {
		for _, a := range []npyz.Named{
			{Name: "features", Array: npyz.New(s.Features, s.N, s.FeatureDim)},
			{Name: "logits", Array: npyz.New(s.Logits, s.N, s.Classes)},
			{Name: "labels", Array: npyz.New(labels)}, {Name: shardArray, Array: npyz.Scalar(string(text))},
		} {
			if err := z.Write(a.Name, a.Array); err != nil {
				return err
			}
		}
		return nil
	})
}

// MergeFeatures writes the features of a whole list from the files of all its shards, given in any order. The result
// has the same bytes as that of a single [WriteFeatures]. Only one shard's features are in memory at a time. It
// returns the number of images. Errors name the file, and what is missing.
func MergeFeatures(ctx context.Context, path string, parts []string) (n int, err error) {
	readers := make([]*npyz.Reader, len(parts))
	defer func() {
		for _, r := range readers {
			if r != nil {
				r.Close()
			}
		}
	}()
	extents := make([]dataset.Extent, len(parts))
	for i, part := range parts {
		if readers[i], err = npyz.OpenNpz(part); err != nil {
			return 0, err
		}
		if extents[i], err = extentOf(readers[i]); err != nil {
			return 0, fmt.Errorf("%s: %w", part, err)
		}
	}
	order, err := dataset.OrderShards(extents, parts)
	if err != nil {
		return 0, err
	}
	shape, err := readers[order[0]].Shape("features")
	if err != nil {
		return 0, err
	}
	logits, err := readers[order[0]].Shape("logits")
	if err != nil {
		return 0, err
	}
	if len(shape) != 2 || len(logits) != 2 {
		return 0, fmt.Errorf("%s: expected features and logits of two axes, got %v and %v", parts[order[0]], shape,
			logits)
	}
	total := 0
	for _, e := range extents {
		total += e.Images
	}
	return total, npyz.CreateNpz(path, npyz.Stored, func(w *npyz.Writer) error {
		rows := func(name string, width int) error {
			out, err := npyz.NewRows[float32](w, name, total, width)
			if err != nil {
				return err
			}
			for _, i := range order {
				if err := ctx.Err(); err != nil {
					return err
				}
				a, err := readers[i].Read(name)
				if err != nil {
					return err
				}
				if err := a.CheckShape(extents[i].Images, width); err != nil {
					return fmt.Errorf("%s: %s: %w", parts[i], name, err)
				}
				v, err := a.AsFloat32()
				if err != nil {
					return fmt.Errorf("%s: %s: %w", parts[i], name, err)
				}
				if err := out.Write(v); err != nil {
					return err
				}
			}
			return out.Close()
		}
		if err := rows("features", shape[1]); err != nil {
			return err
		}
		if err := rows("logits", logits[1]); err != nil {
			return err
		}
		labels := make([]int64, 0, total)
		for _, i := range order {
			a, err := readers[i].Read("labels")
			if err != nil {
				return err
			}
			v, err := a.AsInt64()
			if err == nil {
				err = a.CheckShape(extents[i].Images)
			}
			if err != nil {
				return fmt.Errorf("%s: labels: %w", parts[i], err)
			}
			labels = append(labels, v...)
		}
		return w.Write("labels", npyz.New(labels))
	})
}

// extentOf returns the extent in a shard's file.
func extentOf(r *npyz.Reader) (e dataset.Extent, err error) {
	if !r.Has(shardArray) {
		return e, fmt.Errorf("expected a file that was written with --shard, got one without an array %q", shardArray)
	}
	a, err := r.Read(shardArray)
	if err != nil {
		return e, err
	}
	text, err := a.AsStrings()
	if err != nil || len(text) != 1 {
		return e, fmt.Errorf("array %q: expected one string, got shape %v of %s", shardArray, a.Shape, a.TypeName())
	}
	if err := json.Unmarshal([]byte(text[0]), &e); err != nil {
		return e, fmt.Errorf("array %q: %w", shardArray, err)
	}
	return e, nil
}
