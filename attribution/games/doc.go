// Package games makes the cooperative games whose Shapley values estimators estimate:
//
//   - [NewPenultimate] and [NewPenultimateMean]: on the neurons in front of a final linear [Readout], where adding a
//     player takes as many operations as there are classes; the value is read off the logits, or is the score of a
//     [LINe] detector;
//   - [NewLayer]: on the neurons, channels or groups of any layer of a network, where each coalition runs the graph
//     behind the layer;
//   - [NewMean]: the mean of games, for a class or a background;
//   - [NewTable] and [Func]: from the values of all coalitions, or from a function.
//
// The games of images on the channels of a layer, and a game from a function:
//
//	rules := games.LayerOptions{Layer: "layer2.0", Value: attribution.LogSumExp, Channels: true}
//	layer, err := games.NewLayer(net, rules)
//	for game, err := range layer.Games(ctx, images) { // its channels are the players
//		found, err := estimate.KernelSHAP{Paired: true}.Estimate(ctx, game, attribution.Options{Budget: 2000})
//	}
//	own := games.Func(3, func(c attribution.Coalition) float64 { return worth(c) })
//
// Of this module it imports attribution, graph and nets, and knows no estimator.
package games
