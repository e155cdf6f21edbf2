package kernel

import "math"

// BatchNormForward normalises x [n, c, hw] over batch and positions: dst = gamma*(x-mean)*invstd + beta. It writes
// mean, the biased variance and invstd = 1/sqrt(variance+eps), each [c]. (Running statistics want the unbiased
// variance: this one times m/(m-1) with m = n*hw.) Sums are in float64, in a fixed order. dst may be x.
func BatchNormForward[T Float](dst, x, gamma, beta, mean, variance, invstd []T, n, c, hw int, eps float64) {
	m := float64(n * hw)
	for ch := range c {
		var sum float64
		for i := range n {
			sum += sum64(x[(i*c+ch)*hw:][:hw])
		}
		mu := sum / m
		var sq float64
		for i := range n {
			sq += sqDev64(x[(i*c+ch)*hw:][:hw], mu)
		}
		v := sq / m
		inv := 1 / math.Sqrt(v+eps)
		mean[ch], variance[ch], invstd[ch] = T(mu), T(v), T(inv)
		scale := float64(gamma[ch]) * inv
		coef := [2]T{T(scale), T(float64(beta[ch]) - mu*scale)}
		for i := range n {
			at := (i*c + ch) * hw
			Affine(dst[at:], x[at:], coef[:1], coef[1:], 1, hw, false)
		}
	}
}

// BatchNormBackward computes dx from dy, both [n, c, hw], and adds to dgamma and dbeta [c]; x, mean and invstd are
// those of BatchNormForward. dx, dgamma and dbeta may each be nil. dx may be dy.
func BatchNormBackward[T Float](dx, dgamma, dbeta, dy, x, mean, invstd, gamma []T, n, c, hw int) {
	m := float64(n * hw)
	for ch := range c {
		mu, inv := float64(mean[ch]), float64(invstd[ch])
		var sum, dot float64
		for i := range n {
			s, d := gradSums64(dy[(i*c+ch)*hw:][:hw], x[(i*c+ch)*hw:][:hw], mu)
			sum += s
			dot += d
		}
		dot *= inv
		if dgamma != nil {
			dgamma[ch] += T(dot)
		}
		if dbeta != nil {
			dbeta[ch] += T(sum)
		}
		if dx == nil {
			continue
		}
		// dx = gamma*invstd*(dy - mean(dy) - xhat*mean(dy*xhat)), xhat = (x-mean)*invstd.
		k := float64(gamma[ch]) * inv
		a, b, shift := T(k), T(-k*inv*dot/m), T(-k*sum/m)
		for i := range n {
			at := (i*c + ch) * hw
			d, g, xs := dx[at:][:hw], dy[at:][:hw], x[at:][:hw]
			if is32[T]() && (&stream{
				op: opNormBack, dst: as32(d), a: as32(g), b: as32(xs),
				s: float32(a), t: float32(b), m: float32(mean[ch]), floor: float32(shift),
			}).run() {
				continue
			}
			for j, v := range xs {
				d[j] = a*g[j] + (b*(v-mean[ch]) + shift)
			}
		}
	}
}

// momentKind chooses the terms that are summed in float64.
type momentKind int

const (
	momentSum    momentKind = iota // x
	momentSquare                   // (x-mean)²
	momentGrad                     // y, and y*(x-mean)
)

func sum64[T Float](x []T) float64 {
	var a momentArgs
	if is32[T]() {
		x = x[moment32(momentSum, as32(x), nil, &a):]
	}
	for _, v := range x {
		a.sum += float64(v)
	}
	return a.sum
}

func sqDev64[T Float](x []T, mean float64) float64 {
	a := momentArgs{mean: mean}
	if is32[T]() {
		x = x[moment32(momentSquare, as32(x), nil, &a):]
	}
	for _, v := range x {
		d := float64(v) - mean
		a.sum += d * d
	}
	return a.sum
}

func gradSums64[T Float](dy, x []T, mean float64) (sum, dot float64) {
	a := momentArgs{mean: mean}
	if is32[T]() {
		n := moment32(momentGrad, as32(x), as32(dy), &a)
		dy, x = dy[n:], x[n:]
	}
	for i, v := range dy {
		a.sum += float64(v)
		a.dot += float64(v) * (float64(x[i]) - mean)
	}
	return a.sum, a.dot
}
