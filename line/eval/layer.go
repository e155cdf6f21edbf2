package eval

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// NodeRows runs images through a program and returns the values of a float32 node that it fetches, [image][neuron],
// row-major within an image.
func NodeRows(ctx context.Context, program *graph.Program, node string,
	images graph.Batches) (rows [][]float64, err error) {
	err = eachRow(ctx, program, node, images, func(_ int, row []float32) error {
		wide := make([]float64, len(row))
		for j, v := range row {
			wide[j] = float64(v)
		}
		rows = append(rows, wide)
		return nil
	})
	return rows, err
}

// ClassMeans returns the mean of the rows of NodeRows over the images of each class: [class][neuron]. labels holds
// the class of each image, in order; images with a negative label do not count. A label of classes or more, and a
// class without images, are errors.
func ClassMeans(ctx context.Context, program *graph.Program, node string, images graph.Batches, labels []int,
	classes int) ([][]float64, error) {
	size := tensor.Shape(program.Shape(node)).TotalSize()
	sums, counts := make([][]float64, classes), make([]int, classes)
	for c := range sums {
		sums[c] = make([]float64, size)
	}
	err := eachRow(ctx, program, node, images, func(i int, row []float32) error {
		if i >= len(labels) {
			return fmt.Errorf("expected %d images, as many as labels, got more", len(labels))
		}
		class := labels[i]
		switch {
		case class >= classes:
			return labelf("image %d: expected a label below the network's %d classes, got %d", i, classes, class)
		case class < 0:
			return nil
		}
		for j, v := range row {
			sums[class][j] += float64(v)
		}
		counts[class]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	for c, sum := range sums {
		if counts[c] == 0 {
			return nil, labelf("there are no images of class %d", c)
		}
		for j := range sum {
			sum[j] /= float64(counts[c])
		}
	}
	return sums, nil
}

// eachRow calls use with the values of a node for each image. The row is valid during the call.
func eachRow(ctx context.Context, program *graph.Program, node string, images graph.Batches,
	use func(i int, row []float32) error) error {
	seen := 0
	for out, err := range program.Run(ctx, images) {
		if err != nil {
			return err
		}
		z := out.Float32(node)
		size := len(z) / out.N
		for i := range out.N {
			if err := use(seen+i, z[i*size:][:size]); err != nil {
				return err
			}
		}
		seen += out.N
	}
	return nil
}
