package chart

import "math"

// tolerance is the largest distance, in units of the viewBox, of a simplified line from the points that it leaves out.
const tolerance = 0.3

// simplify returns a subset of the points, including the first and the last, such that the line through the subset
// passes all others within the tolerance (Douglas and Peucker, 1973). It does not change its argument.
func simplify(points []Point) []Point {
	if len(points) < 3 {
		return points
	}
	keep := make([]bool, len(points))
	keep[0], keep[len(points)-1] = true, true
	spans := [][2]int{{0, len(points) - 1}}
	for len(spans) > 0 {
		s := spans[len(spans)-1]
		spans = spans[:len(spans)-1]
		farthest, most := 0, tolerance
		for i := s[0] + 1; i < s[1]; i++ {
			if d := distance(points[i], points[s[0]], points[s[1]]); d > most {
				farthest, most = i, d
			}
		}
		if farthest > 0 {
			keep[farthest] = true
			spans = append(spans, [2]int{s[0], farthest}, [2]int{farthest, s[1]})
		}
	}
	var out []Point
	for i, p := range points {
		if keep[i] {
			out = append(out, p)
		}
	}
	return out
}

// distance returns the distance of p from the line segment between a and b.
func distance(p, a, b Point) float64 {
	dx, dy := b.X-a.X, b.Y-a.Y
	t := 0.0
	if length := dx*dx + dy*dy; length > 0 {
		t = min(1, max(0, ((p.X-a.X)*dx+(p.Y-a.Y)*dy)/length))
	}
	return math.Hypot(p.X-a.X-t*dx, p.Y-a.Y-t*dy)
}
