package kernel_test

import (
	"fmt"

	"github.com/line-ood/goline/internal/kernel"
)

// This is a layer of a DenseNet: batch norm and ReLU in front of the convolution are computed in the same pass.
func ExampleConv() {
	conv, err := kernel.NewConv(kernel.ConvSpec[float32]{
		Geom:     kernel.ConvGeom{C: 2, H: 2, W: 2, O: 1, KH: 1, KW: 1},
		Weight:   []float32{1, 10},
		PreScale: []float32{2, 1}, PreShift: []float32{0, -1}, PreReLU: true,
		PostShift: []float32{0.5},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	x := []float32{
		1, -1, 2, 0, // channel 0
		0, 1, 2, 3, // channel 1
	}
	y := make([]float32, conv.Geom().OutLen())
	conv.Forward(y, x, nil, make([]float32, conv.ScratchLen()))
	fmt.Println(y)
	// Output: [2.5 0.5 14.5 20.5]
}

// In ceil mode, the last window of a pooling must start inside the input or its left padding.
func ExampleMaxPool() {
	g := kernel.PoolGeom{C: 1, H: 1, W: 5, KH: 1, KW: 2, SH: 1, SW: 2, CeilMode: true}
	y, index := make([]float32, g.OutH()*g.OutW()), make([]int32, g.OutH()*g.OutW())
	kernel.MaxPool(g, y, index, []float32{1, 3, 2, 2, 0})
	fmt.Println(y, index)
	// Output: [3 2 0] [1 2 4]
}

// Only those weights are used whose product with the class's absolute contribution exceeds the threshold.
func ExampleRoutedLinear() {
	w := []float32{
		1, 2, // class 0
		4, 1, // class 1
	}
	logits := make([]float32, 2)
	kernel.RoutedLinear(logits, []float32{1, 1}, w, []float32{0.5, 0}, []float32{0.5, 1}, 1, 2, 2)
	fmt.Println(logits)
	// Output: [2.5 4]
}
