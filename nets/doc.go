// Package nets holds image classifiers: functions that add nodes to a graph, with parameters named as in the networks'
// published PyTorch checkpoints, and the preprocessing that the networks expect.
//
// [New] and [Open] know architectures by name: those of the CIFAR literature and torchvision's for ImageNet, whose
// published files load as they are. [Define] makes a network of one's own from one function, and whatever else
// satisfies [Classifier] is taken everywhere, too: by packages train, line and attribution. A network carries no
// training: its parameters are zero until weights are loaded or train.Initialise fills them.
//
//	net, err := nets.Open("densenet-bc-100-12", "checkpoint.pth.tar")
//	own, err := nets.Define(nets.Definition{
//		Name: "mine", Classes: 10, Input: []int{3, 32, 32}, Preprocessing: nets.CIFAR(),
//		// From images to features; the last layer follows from Classes.
//		Build: func(b *graph.Builder, x *G.Node) *G.Node {
//			return b.GlobalAvgPool(b.ReLU(b.Conv(x, "conv1", graph.ConvConfig{Out: 16, Kernel: [2]int{3, 3}})))
//		},
//	})
//	err = weights.LoadInto(own, "mine.npz") // conv1.weight [16, 3, 3, 3], fc.weight [10, 16], fc.bias [10]
//	program, err := graph.Compile(net, graph.Options{})
//
// G is gorgonia.org/gorgonia.
//
// Of this module it imports graph and nets/weights; the packages of data, detectors and training are above it.
package nets
