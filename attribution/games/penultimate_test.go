package games

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/mathx"
)

// naive is the value of a coalition by its definition: replace the absent neurons, run the layer, read the value.
func (n network) naive(present []bool, removed []float64, class int, v attribution.ValueFunction, line *LINe) float64 {
	k, d := len(n.b), len(n.z)
	z := make([]float64, d)
	for i := range z {
		z[i] = removed[i]
		if present[i] {
			z[i] = n.z[i]
		}
		if line != nil {
			z[i] = math.Min(z[i], line.Clip)
			if !(line.Contributions[class*d+i] > line.ActivationThresholds[class]) {
				z[i] = 0
			}
		}
	}
	l := append([]float64(nil), n.b...)
	for c := range k {
		for i := range d {
			w := n.w[c*d+i]
			if line != nil && !(math.Abs(line.Contributions[class*d+i])*w > line.WeightThresholds[class]) {
				w = 0
			}
			l[c] += w * z[i]
		}
	}
	return v.Of(l, class)
}

// randomLINe is a LINe detector with about half of everything pruned.
func (n network) randomLINe(seed uint64) *LINe {
	r := rand.New(rand.NewPCG(seed, 3))
	k := len(n.b)
	p := &LINe{Contributions: make([]float64, len(n.w)), ActivationThresholds: make([]float64, k),
		WeightThresholds: make([]float64, k), Clip: 1}
	for i := range p.Contributions {
		p.Contributions[i] = r.NormFloat64()
	}
	for c := range k {
		p.ActivationThresholds[c] = 0.3 * r.NormFloat64()
		p.WeightThresholds[c] = 0.1 * r.NormFloat64()
	}
	return p
}

func TestPenultimateGameMatchesItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, d := rapid.IntRange(2, 6).Draw(t, "classes"), rapid.IntRange(1, 9).Draw(t, "neurons")
		net := randomNetwork(k, d, rapid.Uint64().Draw(t, "seed"))
		label := rapid.IntRange(0, k-1).Draw(t, "label")
		means := make([][]float64, k)
		for c := range means {
			means[c] = randomNetwork(2, d, uint64(c)).z
		}
		opt := PenultimateOptions{Value: rapid.SampledFrom(allValues).Draw(t, "value"),
			Target: attribution.TargetLabel()}
		removed := make([]float64, d)
		switch rapid.IntRange(0, 2).Draw(t, "removal") {
		case 1:
			removed = means[0]
			opt.Removal = attribution.RemoveTo(removed)
		case 2:
			removed = means[label]
			opt.Removal = attribution.RemoveToClassMean(means)
		}
		value := opt.Value
		if rapid.Bool().Draw(t, "line") {
			opt.LINe, opt.Value, value = net.randomLINe(7), attribution.LogSumExp, attribution.LogSumExp
		}
		// Players are neurons, or disjoint groups that may leave neurons out.
		owner := make([]int, d)
		players := d
		for i := range owner {
			owner[i] = i
		}
		if rapid.Bool().Draw(t, "grouped") {
			players = rapid.IntRange(1, d).Draw(t, "groups")
			opt.Groups = make([][]int, players)
			for i := range owner {
				owner[i] = -1
				if i < players {
					owner[i] = i
				} else if o := rapid.IntRange(-1, players-1).Draw(t, "owner"); o >= 0 {
					owner[i] = o
				}
				if owner[i] >= 0 {
					opt.Groups[owner[i]] = append(opt.Groups[owner[i]], i)
				}
			}
		}
		g, err := NewPenultimate(net.head, net.z, label, opt)
		if err != nil {
			t.Fatal(err)
		}
		if g.Players() != players {
			t.Fatalf("%d players, expected %d", g.Players(), players)
		}
		s := attribution.NewCoalitions(players, 5)
		values := make([]float64, 5)
		for r := range 5 {
			s.Row(r)[0] = rapid.Uint64().Draw(t, "coalition") & (1<<players - 1)
		}
		if err := g.Values(background, s, values); err != nil {
			t.Fatal(err)
		}
		for r, got := range values {
			present := make([]bool, d)
			for i, o := range owner {
				present[i] = o < 0 || s.Row(r).Has(o)
			}
			want := net.naive(present, removed, label, value, opt.LINe)
			if math.Abs(got-want) > 1e-12*max(1, math.Abs(want)) {
				t.Fatalf("coalition %b: %v, by definition %v", s.Row(r)[0], got, want)
			}
		}
	})
}

func TestResamplingIsTheMeanOverTheBackground(t *testing.T) {
	net := randomNetwork(3, 5, 4)
	rows := [][]float64{randomNetwork(1, 5, 5).z, randomNetwork(1, 5, 6).z, randomNetwork(1, 5, 7).z}
	g := net.game(t, PenultimateOptions{Value: attribution.Probability, Target: attribution.TargetClass(2),
		Removal: attribution.RemoveByResampling(rows)})
	s := attribution.NewCoalitions(5, 1)
	s.Row(0).Add(1)
	s.Row(0).Add(4)
	got := make([]float64, 1)
	require.NoError(t, g.Values(background, s, got))
	want := 0.0
	for _, row := range rows {
		want += net.naive([]bool{false, true, false, false, true}, row, 2, attribution.Probability, nil) / 3
	}
	assert.InDelta(t, want, got[0], 1e-14)
	assert.Equal(t, 3, g.(attribution.Sampled).Members())
	assert.Equal(t, 3.0, attribution.ForwardsPerValue(g))
}

// TestWalkersMatchValues compares the incremental path with coalition values, for every value function, within 1e-10
// of the largest value along the order.
func TestWalkersMatchValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, n := rapid.IntRange(2, 11).Draw(t, "classes"), rapid.IntRange(1, 40).Draw(t, "neurons")
		net := randomNetwork(k, n, rapid.Uint64().Draw(t, "seed"))
		scale := rapid.SampledFrom([]float64{1e-3, 1, 10, 100, 1000}).Draw(t, "scale")
		for i := range net.z {
			net.z[i] *= scale
		}
		g, err := NewPenultimate(net.head, net.z, -1, PenultimateOptions{Value: rapid.SampledFrom(allValues).Draw(t,
			"value")})
		if err != nil {
			t.Fatal(err)
		}
		checkWalker(t, g, rapid.Permutation(upTo(n)).Draw(t, "order"), rapid.IntRange(0, n).Draw(t, "size"))
	})
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

type fataler interface{ Fatalf(string, ...any) }

// checkWalker compares marginals along an order, and toggles around its prefix of the given size, with values.
func checkWalker(t fataler, g attribution.Game, order []int, size int) {
	n := g.Players()
	values := func(s attribution.Coalitions) []float64 {
		v := make([]float64, s.Len())
		if err := g.Values(background, s, v); err != nil {
			t.Fatalf("%v", err)
		}
		return v
	}
	prefixes := attribution.NewCoalitions(n, n+1)
	for j, p := range order {
		copy(prefixes.Row(j+1), prefixes.Row(j))
		prefixes.Row(j + 1).Add(p)
	}
	v := values(prefixes)
	tolerance := 1e-12
	for _, x := range v {
		tolerance = max(tolerance, 1e-10*math.Abs(x))
	}
	walker := g.(attribution.Incremental).NewWalker()
	got := make([]float64, n)
	for range 2 { // the second walk must not depend on the first
		walker.Marginals(order, got)
	}
	for j, p := range order {
		if want := v[j+1] - v[j]; !(math.Abs(got[p]-want) <= tolerance) {
			t.Fatalf("%T: player %d at position %d of %d: marginal %v, values say %v", walker, p, j, n, got[p], want)
		}
	}
	around := prefixes.Row(size)
	walker.Toggles(around, order, got)
	toggled := attribution.NewCoalitions(n, 2*n)
	for j, p := range order {
		copy(toggled.Row(2*j), around)
		copy(toggled.Row(2*j+1), around)
		toggled.Row(2 * j).Remove(p)
		toggled.Row(2*j + 1).Add(p)
	}
	v = values(toggled)
	for j := range order {
		if want := v[2*j+1] - v[2*j]; !(math.Abs(got[j]-want) <= tolerance) {
			t.Fatalf("%T: toggling %d: %v, values say %v", walker, order[j], got[j], want)
		}
	}
}

// A running product of 2,048 factors differs from the direct computation by less than 1e-10 of the value.
func TestProductsDoNotDrift(t *testing.T) {
	for _, v := range []attribution.Value{attribution.LogSumExp, attribution.Probability, attribution.LogProbability} {
		net := randomNetwork(10, 2048, 11)
		g := net.game(t, PenultimateOptions{Value: v})
		require.IsType(t, &productWalker{}, g.(attribution.Incremental).NewWalker())
		order := upTo(2048)
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		checkWalker(t, g, order, 1000)
	}
}

// Logits that spread over more than the exponents of float64, or factors outside its range, are computed directly.
func TestWideLogitsTakeTheDirectPath(t *testing.T) {
	for name, weights := range map[string][]float64{
		"a factor past exp(700)": {900, -200, 0, 0},
		"sums past exp(700)":     {600, 600, 600, 600, -600, -600, -600, -600},
		"both":                   {800, -300, -200, 500},
	} {
		h, err := readout(weights, []float64{0, 0})
		require.NoError(t, err)
		n := len(weights) / 2
		z := make([]float64, n)
		for i := range z {
			z[i] = 1
		}
		g, err := NewPenultimate(h, z, -1, PenultimateOptions{Value: attribution.LogSumExp})
		require.NoError(t, err)
		require.IsType(t, &directWalker{}, g.(attribution.Incremental).NewWalker(), name)
		checkWalker(t, g, upTo(n), 1)
	}
}

// LINe keeps what is strictly above its thresholds.
func TestLINeThresholdsAreStrict(t *testing.T) {
	h, err := readout([]float64{10, 2, 4}, []float64{0})
	require.NoError(t, err)
	line := &LINe{Contributions: []float64{1, 2, 3}, ActivationThresholds: []float64{1}, WeightThresholds: []float64{4},
		Clip: math.Inf(1)}
	// Activation 0 is at its threshold, though |C| W = 10 is not; weight 1 has |C| W = 4, at its threshold; 3 x 4 is
	// above.
	assert.Equal(t, []float64{0, 0, 4}, line.masked(h, 0))
	line.ActivationThresholds[0], line.WeightThresholds[0] = 0.999, 0.999
	assert.Equal(t, []float64{10, 2, 4}, line.masked(h, 0))
}

func TestPenultimateGradientsMatchFiniteDifferences(t *testing.T) {
	for _, v := range []attribution.Value{attribution.Logit, attribution.Probability, attribution.LogProbability,
		attribution.LogSumExp} {
		t.Run(v.String(), func(t *testing.T) {
			net := randomNetwork(4, 6, 8)
			g := net.game(t,
				PenultimateOptions{Value: v,
					Removal: attribution.RemoveTo(randomNetwork(1, 6, 9).z)}).(attribution.Differentiable)
			alpha := []float64{0.1, 0.9, 0.3, 0.5, 1, 0}
			value, grad := make([]float64, 1), make([]float64, 6)
			require.NoError(t, g.Gradients(background, alpha, value, grad))
			const h = 1e-6
			for i := range alpha {
				at := func(x float64) float64 {
					a := slices.Clone(alpha)
					a[i] += x
					v := make([]float64, 1)
					require.NoError(t, g.Gradients(background, a, v, make([]float64, 6)))
					return v[0]
				}
				assert.InDelta(t, (at(h)-at(-h))/(2*h), grad[i], 1e-8, "player %d", i)
			}
		})
	}
}

// At the corners of the cube, where players are fully present or absent, the value that Gradients returns is that of
// the coalition.
func TestGradientPointsExtendCoalitions(t *testing.T) {
	net := randomNetwork(3, 4, 8)
	g := net.game(t, PenultimateOptions{LINe: net.randomLINe(2)})
	s := attribution.NewCoalitions(4, 16)
	alpha := make([]float64, 16*4)
	for r := range 16 {
		s.Row(r)[0] = uint64(r)
		for i := range 4 {
			alpha[r*4+i] = float64(r >> i & 1)
		}
	}
	values, points := make([]float64, 16), make([]float64, 16)
	require.NoError(t, g.Values(background, s, values))
	require.NoError(t, g.(attribution.Differentiable).Gradients(background, alpha, points, make([]float64, 64)))
	assert.InDeltaSlice(t, values, points, 1e-12)
}

func TestLINeScoreUsesTheMasksOfThePredictedClass(t *testing.T) {
	net := randomNetwork(4, 7, 12)
	line := net.randomLINe(13)
	clipped := make([]float64, 7)
	for i, z := range net.z {
		clipped[i] = min(z, line.Clip)
	}
	logits := make([]float64, 4)
	net.head.logits(clipped, logits)
	predicted := mathx.ArgMax(logits)
	g := net.game(t, PenultimateOptions{LINe: line})
	assert.Equal(t, predicted, g.(*PenultimateGame).Class())
	all := attribution.NewCoalitions(7, 1)
	all.Row(0).Fill(7)
	got := make([]float64, 1)
	require.NoError(t, g.Values(background, all, got))
	want := net.naive([]bool{true, true, true, true, true, true, true}, make([]float64, 7), predicted,
		attribution.LogSumExp, line)
	assert.InDelta(t, want, got[0], 1e-12)

	line.Limits = make([]float64, 7) // a bound for each neuron, and then for each class too
	for i := range line.Limits {
		line.Limits[i] = 0.1 * float64(i)
	}
	for range 2 {
		bounds := line.Limits
		if len(bounds) > 7 {
			net.head.logits(net.z, logits)
			bounds = bounds[7*mathx.ArgMax(logits):]
		}
		bounded := network{head: net.head, z: make([]float64, 7), w: net.w, b: net.b}
		for i, z := range net.z {
			bounded.z[i] = min(z, bounds[i])
		}
		net.head.logits(bounded.z, logits)
		predicted := mathx.ArgMax(logits)
		g := net.game(t, PenultimateOptions{LINe: line})
		assert.Equal(t, predicted, g.(*PenultimateGame).Class())
		require.NoError(t, g.Values(background, all, got))
		unclipped := *line
		unclipped.Clip = math.Inf(1)
		want := bounded.naive([]bool{true, true, true, true, true, true, true}, make([]float64, 7), predicted,
			attribution.LogSumExp, &unclipped)
		assert.InDelta(t, want, got[0], 1e-12)
		for i := range 21 {
			line.Limits = append(line.Limits, 0.2*float64(i%7)+0.1*float64(i/7))
		}
	}
	line.Limits = nil

	line.Clip = math.Inf(1)
	for c := range 4 {
		line.ActivationThresholds[c], line.WeightThresholds[c] = math.Inf(-1), math.Inf(-1)
	}
	energy := net.game(t, PenultimateOptions{Value: attribution.LogSumExp})
	require.NoError(t, energy.Values(background, all, got))
	kept := make([]float64, 1)
	require.NoError(t, net.game(t, PenultimateOptions{LINe: line}).Values(background, all, kept))
	assert.InDelta(t, got[0], kept[0], 1e-12, "with nothing pruned or clipped the LINe score is the energy")
}

// LINe's C: the class mean of z_i dF_y/dz_i is W[y, i] times the class mean of z_i.
func TestClassMeanOfGradientActivationIsLINesC(t *testing.T) {
	net := randomNetwork(3, 6, 30)
	var rows [][]float64
	var labels []int
	want := make([]float64, 6)
	for s := range 7 {
		z := randomNetwork(1, 6, uint64(100+s)).z
		rows, labels = append(rows, z), append(labels, 2)
		for i := range want {
			want[i] += net.w[2*6+i] * z[i] / 7
		}
	}
	g, err := NewPenultimateMean(net.head, rows, labels, PenultimateOptions{Target: attribution.TargetLabel()})
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{estimate.GradientActivation{}, estimate.ClosedForm{}, estimate.Exact{},
		estimate.IntegratedGradients{}} {
		est, err := e.Estimate(background, g, attribution.Options{})
		require.NoError(t, err, e.Name())
		assert.InDeltaSlice(t, want, est.Values, 1e-12, e.Name())
		assert.InDelta(t, 0, est.Residual, 1e-12, e.Name())
	}
}

func TestClassMeans(t *testing.T) {
	means, err := attribution.ClassMeans([][]float64{{1, 2}, {3, 4}, {5, 5}, {9, 9}}, []int{0, 0, 1, -1}, 2)
	require.NoError(t, err)
	assert.Equal(t, [][]float64{{2, 3}, {5, 5}}, means)
	_, err = attribution.ClassMeans([][]float64{{1}}, []int{0}, 2)
	assert.ErrorContains(t, err, "class 1: attribution: mean: expected at least one row, got none")
	_, err = attribution.ClassMeans([][]float64{{1}}, []int{2}, 2)
	assert.ErrorContains(t, err, "label of row 0: expected a class from 0 to 1, or -1, got 2")
	_, err = attribution.ClassMeans([][]float64{{1}}, nil, 2)
	assert.ErrorContains(t, err, "expected a label for each of 1 rows, got 0")
	_, err = attribution.MeanRow([][]float64{{1}, {1, 2}})
	assert.ErrorContains(t, err, "row 1: expected 1 neurons as in row 0, got 2")
}

func TestBadPenultimateInput(t *testing.T) {
	net := randomNetwork(3, 4, 1)
	nan := math.NaN()
	line := func(change func(*LINe)) PenultimateOptions {
		p := net.randomLINe(1)
		change(p)
		return PenultimateOptions{LINe: p}
	}
	for _, c := range []struct {
		z     []float64
		label int
		opt   PenultimateOptions
		want  string
	}{
		{[]float64{1, 2}, 0, PenultimateOptions{},
			"sample 0: expected 4 activations, as many as the head has neurons, got 2"},
		{[]float64{1, 2, nan, 3}, 0, PenultimateOptions{}, "activation 2 of sample 0 is NaN"},
		{net.z, -1, PenultimateOptions{Target: attribution.TargetLabel()}, "a class from 0 to 2, got -1"},
		{net.z, 0, PenultimateOptions{Value: attribution.Value(17)}, "expected one of the constants of Value, got 17"},
		{net.z, 0, PenultimateOptions{Removal: attribution.RemoveTo([]float64{1})}, "row 0: expected 4 neurons, got 1"},
		{net.z, 0, PenultimateOptions{Removal: attribution.RemoveTo([]float64{1, 2, 3, nan})},
			"row 0, neuron 3 is NaN"},
		{net.z, 0, PenultimateOptions{Removal: attribution.RemoveByResampling(nil)}, "expected 1 rows, got 0"},
		{net.z, 0, PenultimateOptions{Removal: attribution.RemoveToClassMean([][]float64{net.z})},
			"expected 3 rows, got 1"},
		{net.z, 0, PenultimateOptions{Groups: [][]int{}}, "no players"},
		{net.z, 0, PenultimateOptions{Groups: [][]int{{0}, {}}}, "group 1: expected at least one neuron, got none"},
		{net.z, 0, PenultimateOptions{Groups: [][]int{{0}, {4}}}, "group 1: expected neurons from 0 to 3, got 4"},
		{net.z, 0, PenultimateOptions{Groups: [][]int{{0}, {0}}}, "neuron 0 is in two groups"},
		{net.z, 0, PenultimateOptions{Names: []string{"a"}}, "expected a name for each of 4 players, got 1"},
		{net.z, 0, line(func(p *LINe) { p.Clip = 0 }), "LINe clip: expected a positive number, got 0"},
		{net.z, 0, line(func(p *LINe) { p.Limits = make([]float64, 5) }),
			"LINe clip limits: expected [4] or [3, 4], got 5"},
		{net.z, 0, line(func(p *LINe) { p.Limits = []float64{1, 2, nan, 4} }),
			"LINe clip limit 2: expected a finite number, got NaN"},
		{net.z, 0, line(func(p *LINe) { p.Contributions = p.Contributions[1:] }),
			"LINe contributions: expected [3, 4] values, got 11"},
		{net.z, 0, line(func(p *LINe) { p.Contributions[5] = nan }),
			"LINe contribution 5: expected a finite number, got NaN"},
		{net.z, 0, line(func(p *LINe) { p.WeightThresholds = nil }),
			"LINe thresholds: expected 3 for activations and as many for weights, got 3 and 0"},
		{net.z, 0, PenultimateOptions{LINe: net.randomLINe(1), Value: attribution.Margin},
			"expected the value logit or log-sum-exp, got margin"},
	} {
		_, err := NewPenultimate(net.head, c.z, c.label, c.opt)
		assert.ErrorContains(t, err, c.want)
	}
	_, err := NewPenultimateMean(net.head, nil, nil, PenultimateOptions{})
	assert.ErrorContains(t, err, "at least one sample, got none")
	_, err = NewPenultimateMean(net.head, [][]float64{net.z}, []int{1, 2}, PenultimateOptions{})
	assert.ErrorContains(t, err, "expected a label for each of 1 samples, got 2")
	one, err := readout([]float64{1, 2}, []float64{0})
	require.NoError(t, err)
	_, err = NewPenultimate(one, []float64{1, 1}, 0, PenultimateOptions{Value: attribution.Margin})
	assert.ErrorContains(t, err, "expected at least two classes, got 1")
	for _, h := range []struct{ w, b []float64 }{{nil, nil}, {[]float64{1}, nil}, {nil, []float64{1}},
		{[]float64{1, 2, 3}, []float64{1, 2}},
		{[]float64{nan}, []float64{1}}, {[]float64{1}, []float64{math.Inf(1)}}} {
		_, err := readout(h.w, h.b)
		assert.Error(t, err, fmt.Sprint(h))
	}
}
