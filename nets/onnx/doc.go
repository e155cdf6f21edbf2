// Package onnx reads image classifiers from ONNX files into goline's expression graph, and writes models out as such
// files.
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
// A [Network] is imported anew for each batch size that a graph is built for: shape arithmetic is computed, and the
// remaining nodes are rewritten as layers of the graph builder, which fuses them. A batch dimension that the file fixes
// is freed. The last linear layer is the head, its input the features; a softmax behind it is left off.
//
// Operators of opset 7 and later are understood as the operator specification has them
// (https://onnx.ai/onnx/operators). What cannot be expressed is one [UnsupportedError], which lists every such node.
// A file is not trusted: sizes are checked before memory is taken, and external data stays in the file's folder.
//
// [Export] goes the other way. It writes every operation of package graph but those of training, of gradients and of
// coalitions given as bits. What it writes of a network is read as the same network.
package onnx
