//go:build amd64 && !noasm

package kernel

func (d *depthwise) parts(n int) int {
	return worthParts(depthWork*d.g.C*d.g.OutH()*d.g.OutW(), min(n, d.g.C))
}

func (d *depthwise) part(image planIO, i, n int) { runDepth(image, d.g, d, portion(d.g.C, 2, i, n)) }

func (p *winograd) parts(n int) int {
	units := p.tileH / max(p.strip, 1)
	if p.direct {
		units = (p.tileH*p.tileW/p.lanes + 1) / 2
	}
	return worthParts(4*p.g.C*p.g.O*p.tileH*p.tileW, min(n, units))
}

func (p *winograd) part(image planIO, i, n int) {
	if p.direct {
		p.runPart(&image, portion(p.tileH*p.tileW/p.lanes, 2, i, n))
		return
	}
	p.runPart(&image, portion(p.tileH, p.strip, i, n))
}

func (p *winogradFour) parts(n int) int {
	most := max(p.tileH/p.strip, len(p.rows))
	return worthParts(fourPlaces*p.g.C*p.g.O*p.tileH*p.tileW/8, min(n, most))
}

// part shares strips, or the outputs where there is one strip; the inputs are then transformed for each part.
func (p *winogradFour) part(image planIO, i, n int) {
	strips, rows := span{0, p.tileH}, span{0, len(p.rows)}
	if (p.tileH+p.strip-1)/p.strip >= n {
		strips = portion(p.tileH, p.strip, i, n)
	} else {
		rows = portion(len(p.rows), 1, i, n)
	}
	if image.accumulate {
		image.residual = image.dst
	}
	p.compute(image, 1, strips, rows)
}
