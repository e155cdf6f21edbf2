package conformal

import "math"

// lond is LOND. Its exported fields are its state in JSON.
type lond struct {
	alpha     float64
	dependent bool
	Tests     int     `json:"tests"`
	Found     int     `json:"found"`
	Harmonic  float64 `json:"harmonic"` // 1 + 1/2 + … + 1/Tests
}

func (l *lond) level() float64 {
	t := l.Tests + 1
	level := l.alpha * lordGamma(t)
	if l.dependent {
		level /= l.Harmonic + 1/float64(t)
	}
	return level * float64(l.Found+1)
}

func (l *lond) update(_, _ float64, reject bool) {
	l.Tests++
	l.Harmonic += 1 / float64(l.Tests)
	if reject {
		l.Found++
	}
}

// lordDependent is LORDDependent, the form of LORD that is valid under any dependence. Its wealth can fall below zero
// before the first discovery, where the initial wealth is more than 0.29 alpha: the theorem bounds what a test may
// spend, Σ ξ_t (1 + log t), and not what is left.
type lordDependent struct {
	alpha, earned float64
	Tests         int     `json:"tests"`
	Wealth        float64 `json:"wealth"`
	AtLast        float64 `json:"at_last"` // wealth after the latest discovery, the initial wealth before any discovery
}

// level computes ξ_t = 0.139307 α / (b_0 t log³ max(t, 2)), b_0 being what a discovery earns. Then Σ ξ_t (1 + log t)
// ≤ α/b_0, as the theorem requires, except for the 3·10⁻⁶ by which the published constant is rounded up.
func (l *lordDependent) level() float64 {
	t := float64(l.Tests + 1)
	log := math.Log(max(t, 2))
	return l.scale() / (t * log * log * log) * l.AtLast
}

// scale is the factor of ξ_t that is the same for all t.
func (l *lordDependent) scale() float64 { return 0.139307 * l.alpha / l.earned }

// spent bounds Σ_t ξ_t from above: Σ_t 1/(t log³ max(t, 2)) is 5.07.
func (l *lordDependent) spent() float64 { return l.scale() * 5.1 }

func (l *lordDependent) update(_, level float64, reject bool) {
	l.Tests++
	l.Wealth -= level
	if reject {
		l.Wealth += l.earned
		l.AtLast = l.Wealth
	}
}

// clocked is LORD++, SAFFRON and ADDIS. They differ in when their clock u advances: at every test for LORD++, at
// p-values above λ for SAFFRON, and at p-values above λ and not above τ for ADDIS. The level is scale · (w_0 γ(u) +
// (α-w_0) γ(u-o_1) + α Σ_{j≥2} γ(u-o_j)), o_j the clock at the j-th discovery, and at most cap.
type clocked struct {
	alpha, wealth, scale, cap float64
	ticks                     func(p float64) bool
	gamma                     func(t int) float64
	known                     []float64 // gamma(1), gamma(2), …
	Clock                     int       `json:"clock"` // u, from 1
	First                     int       `json:"first"` // o_1, -1 before any discovery
	// Times and Counts are the clock at the discoveries after the first, ascending, and the number of discoveries at
	// each of these times: several discoveries can fall on one time, while the clock does not advance.
	Times  []int `json:"times"`
	Counts []int `json:"counts"`
}

func newClocked(o OnlineOptions) *clocked {
	c := &clocked{alpha: o.Alpha, wealth: o.Wealth, Clock: 1, First: -1}
	switch o.Procedure {
	case SAFFRON:
		c.scale, c.cap, c.gamma = 1-o.Lambda, o.Lambda, saffronGamma
		c.ticks = func(p float64) bool { return p > o.Lambda }
	case ADDIS:
		c.scale, c.cap, c.gamma = o.Tau-o.Lambda, o.Lambda, saffronGamma
		c.ticks = func(p float64) bool { return p > o.Lambda && p <= o.Tau }
	default:
		c.scale, c.cap, c.gamma = 1, 1, lordGamma
		c.ticks = func(float64) bool { return true }
	}
	return c
}

func (c *clocked) level() float64 {
	for t := len(c.known) + 1; t <= c.Clock; t++ {
		c.known = append(c.known, c.gamma(t))
	}
	at := func(t int) float64 { return c.known[t-1] }
	level := c.wealth * at(c.Clock)
	if c.First >= 0 {
		level += float64((c.alpha - c.wealth) * at(c.Clock-c.First))
	}
	later := 0.0
	for i, t := range c.Times {
		later += float64(float64(c.Counts[i]) * at(c.Clock-t))
	}
	return min(c.cap, c.scale*(level+float64(c.alpha*later)))
}

func (c *clocked) update(p, _ float64, reject bool) {
	if c.ticks(p) {
		c.Clock++
	}
	if !reject {
		return
	}
	now, last := c.Clock-1, len(c.Times)-1
	switch {
	case c.First < 0:
		c.First = now
	case last >= 0 && c.Times[last] == now:
		c.Counts[last]++
	default:
		c.Times, c.Counts = append(c.Times, now), append(c.Counts, 1)
	}
}
