// Package interactions measures what pairs of players do together that neither does alone: the Shapley interaction
// index, its aggregation to k-SII, and the Banzhaf interaction index, of any [attribution.Game].
//
//	found, err := interactions.Sampled{Index: interactions.SII, Among: []int{3, 17, 204}}.Estimate(ctx, game,
//	attribution.Options{Budget: 10000, Seed: 1})
//	for _, p := range found.Largest(10) {
//		lo, hi := found.Interval(p, 0.95)
//		fmt.Printf("neurons %d and %d: %.3f [%.3f, %.3f]\n", p.I, p.J, p.Value, lo, hi)
//	}
//
// All indices are means of the second difference Δ_ij v(S) = v(S ∪ {i, j}) - v(S ∪ {i}) - v(S ∪ {j}) + v(S) over
// coalitions S without i and j, and differ in how often a coalition counts. Two players that help each other have a
// positive interaction, two that stand for the same thing a negative one, and the interactions of a linear game are
// zero. [Exact] enumerates all coalitions of up to [attribution.MaxEnumerated] players; [Sampled] estimates with
// standard errors, for all pairs or those among chosen players. Costs, budgets and stopping are those of package
// attribution.
package interactions
