package eval

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/parquetfile"
	"github.com/line-ood/goline/nets"
)

// featureRow is one image of a Parquet file of features.
type featureRow struct {
	ID       string    `parquet:"id"`
	Label    *int64    `parquet:"label,optional"`
	Features []float32 `parquet:"features,list"`
	Logits   []float32 `parquet:"logits,list"`
}

// WriteFeaturesParquet is [WriteFeatures] into a Parquet file with one row for each image: id, label int64 (null
// where unknown), and the float32 lists features and logits. id returns the name of image i, counted from 0. meta
// becomes the file's key-value metadata. Only one row group is in memory at a time.
func WriteFeaturesParquet(ctx context.Context, path string, program *graph.Program, net nets.Classifier,
	images graph.Batches, id func(i int) string, meta map[string]string) error {
	if net.FeatureDim() == 0 {
		return fmt.Errorf("features of %s: %w", net.Name(), nets.ErrNoHead)
	}
	d, k := net.FeatureDim(), net.Classes()
	return parquetfile.Create(path, 4*(d+k), meta, func(row func(featureRow) error) error {
		seen := 0
		return each(ctx, program, images, func(out *graph.Outputs) error {
			features, logits := out.Float32(nets.Features), out.Float32(nets.Logits)
			for i, label := range out.Labels {
				r := featureRow{ID: id(seen), Features: features[i*d:][:d], Logits: logits[i*k:][:k]}
				if label >= 0 {
					v := int64(label)
					r.Label = &v
				}
				if err := row(r); err != nil {
					return err
				}
				seen++
			}
			return nil
		})
	})
}
