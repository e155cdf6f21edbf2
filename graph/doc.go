// Package graph builds, compiles and runs image classifiers as Gorgonia expression graphs.
//
// Operations are functions from nodes to a node, so they mix with Gorgonia's own (G is how this module imports
// gorgonia.org/gorgonia):
//
//	y, err := graph.Conv2D(x, w, nil, graph.ConvConfig{Padding: [2]int{1, 1}})
//	dx, err := graph.Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{x}) // d(Σ seed·y)/dx
//
//	program, err := graph.Compile(net, graph.Options{Fetch: []string{"features", graph.Logits}})
//	for out, err := range program.Run(ctx, batches) { // on all processors
//		if err != nil {
//			return err
//		}
//		fmt.Println(out.N, out.Float32("features"), out.Float32(graph.Logits))
//	}
//
// Each operation has a forward pass and a symbolic gradient in float32 and float64, owns its output buffer, and never
// writes to its inputs. [Gradients] differentiates any node with respect to any other, as often as wanted in one graph.
//
// Gorgonia's own (stock) operations overwrite an input that they are the last to read, which never harms operations of
// this package. But a stock Reshape shares the memory of its input, so a stock operation that follows it overwrites
// values that other nodes may still read: use [Reshape] of this package, or put a [Copy] between the two. Gorgonia
// keeps global registries, so graphs must not be built concurrently; [Compile] takes care of that itself.
//
// A [Builder] adds whole layers by parameter name, fuses batch norm, ReLU and convolution where gradients of the
// weights are not asked for, and names the nodes that may be fetched. [Declare] finds the parameters that a Builder's
// calls ask for. [Compile] turns a [Model] into a [Program], which runs a stream of batches of any size over workers
// that share the weights. A result depends on its sample alone: batch size, number of workers and neighbours in the
// batch do not change one bit of it. Package graphtest helps to test operations that you write yourself.
//
// A program runs on the processor or, with [Options].Device, on an NVIDIA graphics card, which comments here call the
// card.
//
// Of this module it imports no public package: networks, data and detectors are packages above it, of which it knows
// nothing.
package graph
