package attribution

// Cost is the cost of an estimate, past or forecast.
type Cost struct {
	// Forwards and Backwards count passes through the network. Equivalents is their sum in forward-equivalents: a
	// backward pass counts as Options.BackwardCost forward passes.
	Forwards, Backwards, Equivalents float64
	// Seconds is the wall time.
	Seconds float64
}

// Add returns the sum of both costs.
func (c Cost) Add(o Cost) Cost {
	return Cost{c.Forwards + o.Forwards, c.Backwards + o.Backwards, c.Equivalents + o.Equivalents,
		c.Seconds + o.Seconds}
}

// Div returns the cost of one of n equal parts.
func (c Cost) Div(n float64) Cost {
	return Cost{c.Forwards / n, c.Backwards / n, c.Equivalents / n, c.Seconds / n}
}
