package figure

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// LinearTicks marks an axis at multiples of 1, 2 or 5 times a power of ten. All labels except 0 have the same number of
// decimals, as few as their distance needs.
type LinearTicks struct {
	// Most is the largest number of marks; 0 for 6.
	Most int
}

// Ticks returns the marks between two numbers, both finite.
func (t LinearTicks) Ticks(low, high float64) []plot.Tick {
	most := t.Most
	if most == 0 {
		most = 6
	}
	if !(high > low) || math.IsInf(high-low, 0) {
		return []plot.Tick{{Value: low, Label: Number(low)}}
	}
	for exponent := int(math.Floor(math.Log10((high - low) / float64(most)))); ; exponent++ {
		for _, digit := range []float64{1, 2, 5} {
			first, last := multiples(low, high, digit, exponent)
			if last-first+1 > float64(most) {
				continue
			}
			var ticks []plot.Tick
			for k := first; k <= last; k++ {
				v := scaled(k*digit, exponent)
				ticks = append(ticks, plot.Tick{Value: v, Label: decimal(k*digit, exponent)})
			}
			return ticks
		}
	}
}

// multiples returns the first and last k with low <= k·digit·10^exponent <= high, up to rounding.
func multiples(low, high, digit float64, exponent int) (first, last float64) {
	const slack = 1e-9
	unit := scaled(digit, exponent)
	return math.Ceil(low/unit - slack), math.Floor(high/unit + slack)
}

// scaled returns v·10^exponent, correctly rounded where v is a short integer.
func scaled(v float64, exponent int) float64 {
	// The only possible error is an infinite result.
	f, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 0, 64)+"e"+strconv.Itoa(exponent), 64)
	return f
}

// decimal formats v·10^exponent, for an integer v, in full, or with a power of ten where that would need many zeros.
func decimal(v float64, exponent int) string {
	if v == 0 {
		return "0"
	}
	size := int(math.Floor(math.Log10(math.Abs(v)))) + exponent
	if size < -4 || size > 5 {
		return Number(scaled(v, exponent))
	}
	return strconv.FormatFloat(scaled(v, exponent), 'f', max(0, -exponent), 64)
}

// LogTicks marks a logarithmic axis at powers of ten and, where these are few, at 2 and 5 times powers of ten.
type LogTicks struct {
	// Most is about the largest number of labels; 0 for 7.
	Most int
}

// Ticks returns the marks between two numbers above 0; it panics for others, as the axis itself does.
func (t LogTicks) Ticks(low, high float64) []plot.Tick {
	if !(low > 0) || !(high > 0) {
		panic("figure: a logarithmic axis needs numbers above 0")
	}
	most := t.Most
	if most == 0 {
		most = 7
	}
	from, to := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	every := max(1, (to-from+most-1)/most)
	within := func(v float64) bool { return v >= low*(1-1e-9) && v <= high*(1+1e-9) }
	decades := 0
	for e := from; e <= to; e++ {
		if within(scaled(1, e)) {
			decades++
		}
	}
	var ticks []plot.Tick
	for e := from; e <= to; e++ {
		for digit := 1; digit <= 9; digit++ {
			v := scaled(float64(digit), e)
			if !within(v) || digit > 1 && every > 1 {
				continue
			}
			mark := plot.Tick{Value: v}
			if digit == 1 && e%every == 0 || decades < 3 && (digit == 2 || digit == 5) {
				mark.Label = Number(v)
			}
			ticks = append(ticks, mark)
		}
	}
	return ticks
}

// Number formats a number with the fewest digits that float64 needs: in full, or as 2e-14 where that would need many
// zeros.
func Number(v float64) string {
	s := strconv.FormatFloat(v, 'e', -1, 64)
	mantissa, power, found := strings.Cut(s, "e")
	exponent, err := strconv.Atoi(power)
	switch {
	case !found || err != nil: // not finite
		return s
	case v == 0 || exponent >= -4 && exponent <= 5:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return mantissa + "e" + strconv.Itoa(exponent)
}
