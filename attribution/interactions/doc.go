// Package interactions measures the effect that pairs of players have together beyond the sum of their single
// effects: the Shapley interaction index, its aggregation to k-SII, and the Banzhaf interaction index, of any
// [attribution.Game].
//
//	sampled := interactions.Sampled{Index: interactions.SII, Among: []int{3, 17, 204}}
//	found, err := sampled.Estimate(ctx, game, attribution.Options{Budget: 10000, Seed: 1})
//	for _, p := range found.Largest(10) {
//		lo, hi := found.Interval(p, 0.95)
//		fmt.Printf("neurons %d and %d: %.3f [%.3f, %.3f]\n", p.I, p.J, p.Value, lo, hi)
//	}
//
// All indices are weighted means of the second difference Δ_ij v(S) = v(S ∪ {i, j}) - v(S ∪ {i}) - v(S ∪ {j}) + v(S)
// over coalitions S without i and j. They differ in the weights of the coalitions. Two players that help each other
// have a positive interaction, two that can replace each other a negative one, and the interactions of a linear game
// are zero. [Exact] enumerates all coalitions of up to [attribution.MaxEnumerated] players. [Sampled] estimates, with
// standard errors, the interactions of all pairs or of the pairs among chosen players. Costs, budgets and stopping
// are those of package attribution.
//
// Of this module it imports attribution; the games may come from anywhere.
package interactions
