// Package onnx reads image classifiers from ONNX files into goline's expression graph, and writes models as ONNX files.
//
//	net, err := onnx.Open("model.onnx", onnx.Options{Preprocessing: nets.ImageNet()})
//	var refused *onnx.UnsupportedError
//	if errors.As(err, &refused) {
//		fmt.Println(refused.Nodes) // all that cannot be expressed
//	}
//	for _, layer := range net.Layers() {
//		fmt.Println(layer.Name, layer.Kind, layer.Output)
//	}
//	program, err := graph.Compile(net, graph.Options{}) // as of every nets.Classifier
//	err = onnx.Export(file, net, onnx.ExportOptions{})  // or of a line.Pipeline: a detector that other runtimes run
//
// A [Network] is built again for each batch size: shape arithmetic is computed, and the remaining nodes are rewritten
// as layers of the graph builder, which fuses them. If the file fixes the batch size, any other can be used as well.
// The last linear layer is the head, and its input the features; a softmax behind it is left off.
//
// Operators of opset 7 and later are read by the definitions of the operator specification
// (https://onnx.ai/onnx/operators). If the network contains nodes that cannot be expressed, the error is one
// [UnsupportedError] that lists them all. A file is not trusted: sizes are checked before memory is allocated, and
// external data must lie in the file's folder.
//
// [Export] writes a model. It supports every operation of package graph except those of training, of gradients and of
// coalitions given as bits. A network that was exported is read as the same network.
//
// Of this module it imports graph and nets; detectors and the commands are above it.
package onnx
