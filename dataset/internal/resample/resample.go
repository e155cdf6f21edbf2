package resample

// Resizer resizes pictures one after another. It keeps scratch memory and the filters of earlier sizes, so that
// pictures of a known size need no allocation. The zero value is ready for use. It is not safe for concurrent use.
type Resizer struct {
	filters map[filterKey]*filter
	weights int // total length of the kept filters
	tmp     []uint8
	acc     []int32
}

type filterKey struct {
	kind            Kind
	in, out, lo, hi int
}

// maxKeptWeights bounds the kept filters (4 bytes for each weight), for the case that every picture has another size.
const maxKeptWeights = 1 << 20

// Region is a part of a picture: Height x Width pixels from (Top, Left) on.
type Region struct{ Top, Left, Height, Width int }

// Resize writes the region r of the picture src [inH, inW, 3], resized to outH x outW, to dst [r.Height, r.Width, 3].
// All sizes are positive, the region lies within the resized picture, and dst and src are long enough.
func (z *Resizer) Resize(kind Kind, dst, src []uint8, inH, inW, outH, outW int, r Region) {
	vertical := inH != outH
	rows := Region{Top: r.Top, Height: r.Height} // the input rows that are needed
	var fv *filter
	if vertical {
		fv = z.filter(filterKey{kind, inH, outH, r.Top, r.Top + r.Height})
		lo, hi := fv.span()
		rows.Top, rows.Height = lo, hi-lo
	}
	if inW == outW {
		if !vertical {
			for y := range r.Height {
				copy(dst[y*r.Width*3:][:r.Width*3], src[((r.Top+y)*inW+r.Left)*3:])
			}
			return
		}
		z.vertical(dst, src[3*r.Left:], 3*inW, 3*r.Width, fv, 0)
		return
	}
	fh := z.filter(filterKey{kind, inW, outW, r.Left, r.Left + r.Width})
	mid := dst
	if vertical {
		if n := rows.Height * r.Width * 3; cap(z.tmp) < n {
			z.tmp = make([]uint8, n)
		}
		mid = z.tmp[:cap(z.tmp)]
	}
	for y := range rows.Height {
		horizontal(mid[y*r.Width*3:][:r.Width*3], src[(rows.Top+y)*inW*3:][:inW*3], fh)
	}
	if vertical {
		z.vertical(dst, mid, 3*r.Width, 3*r.Width, fv, rows.Top)
	}
}

// filter returns the filter for a pair of sizes, which it computes once.
func (z *Resizer) filter(k filterKey) *filter {
	if f := z.filters[k]; f != nil {
		return f
	}
	f := newFilter(k.kind, k.in, k.out, k.lo, k.hi)
	if z.filters == nil || z.weights+len(f.weights) > maxKeptWeights {
		z.filters, z.weights = map[filterKey]*filter{}, 0
	}
	z.filters[k] = f
	z.weights += len(f.weights)
	return f
}

// horizontal filters one row of pixels.
func horizontal(dst, src []uint8, f *filter) {
	for x := range f.start {
		start, weights := f.at(x)
		p := src[3*start:][:3*len(weights)]
		r, g, b := int32(1<<(precisionBits-1)), int32(1<<(precisionBits-1)), int32(1<<(precisionBits-1))
		for _, k := range weights {
			r += int32(p[0]) * k
			g += int32(p[1]) * k
			b += int32(p[2]) * k
			p = p[3:]
		}
		q := dst[3*x : 3*x+3 : 3*x+3]
		q[0], q[1], q[2] = clip(r), clip(g), clip(b)
	}
}

// vertical filters n bytes of each row. src holds rows of stride bytes; its first row is input row top.
func (z *Resizer) vertical(dst, src []uint8, stride, n int, f *filter, top int) {
	if cap(z.acc) < n {
		z.acc = make([]int32, n)
	}
	acc := z.acc[:n]
	for y := range f.start {
		start, weights := f.at(y)
		row := func(i int) []uint8 { return src[(start-top+i)*stride:][:n] }
		out := dst[y*n:][:n]
		switch len(weights) {
		case 1:
			vertical1(out, row(0), weights)
		case 2:
			vertical2(out, row(0), row(1), weights)
		case 3:
			vertical3(out, row(0), row(1), row(2), weights)
		case 4:
			vertical4(out, row(0), row(1), row(2), row(3), weights)
		default:
			for i := range acc {
				acc[i] = 1 << (precisionBits - 1)
			}
			for j, k := range weights {
				for i, v := range row(j) {
					acc[i] += int32(v) * k
				}
			}
			for i, v := range acc {
				out[i] = clip(v)
			}
		}
	}
}

func vertical1(out, a []uint8, w []int32) {
	k := w[0]
	for i := range out {
		out[i] = clip(1<<(precisionBits-1) + int32(a[i])*k)
	}
}

func vertical2(out, a, b []uint8, w []int32) {
	k, l := w[0], w[1]
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = clip(1<<(precisionBits-1) + int32(a[i])*k + int32(b[i])*l)
	}
}

func vertical3(out, a, b, c []uint8, w []int32) {
	k, l, m := w[0], w[1], w[2]
	a, b, c = a[:len(out)], b[:len(out)], c[:len(out)]
	for i := range out {
		out[i] = clip(1<<(precisionBits-1) + int32(a[i])*k + int32(b[i])*l + int32(c[i])*m)
	}
}

func vertical4(out, a, b, c, d []uint8, w []int32) {
	k, l, m, o := w[0], w[1], w[2], w[3]
	a, b, c, d = a[:len(out)], b[:len(out)], c[:len(out)], d[:len(out)]
	for i := range out {
		out[i] = clip(1<<(precisionBits-1) + int32(a[i])*k + int32(b[i])*l + int32(c[i])*m + int32(d[i])*o)
	}
}

// clip rounds to 8 bits. Weights can be negative, and rounded ones can add up to more than 1, so both bounds are
// needed.
func clip(v int32) uint8 { return uint8(min(max(v>>precisionBits, 0), 255)) }
