package jpeg

import "errors"

// render upsamples all rows and converts them to RGB; pix is (height, width, 3).
func (d *decoder) render(pix []uint8) error {
	convert, err := d.conversion()
	if err != nil {
		return err
	}
	rows := make([][]uint8, len(d.comps))
	for y := range d.height {
		if y&63 == 0 {
			if err := d.ctx.Err(); err != nil {
				return err
			}
		}
		for i := range d.comps {
			rows[i] = d.comps[i].row(y)
		}
		convert(pix[y*d.width*3:][:d.width*3], rows)
	}
	return nil
}

// conversion chooses the colour conversion by libjpeg's rules: by the JFIF and Adobe markers, otherwise by component
// names.
func (d *decoder) conversion() (func(dst []uint8, rows [][]uint8), error) {
	switch len(d.comps) {
	case 1:
		return greyToRGB, nil
	case 3:
		names := [3]byte{d.comps[0].id, d.comps[1].id, d.comps[2].id}
		switch {
		case d.jfif:
			return yccToRGB, nil
		case d.adobe && d.adobeTransform == 0:
			return copyRGB, nil
		case d.adobe:
			return yccToRGB, nil
		case names == [3]byte{'R', 'G', 'B'}:
			return copyRGB, nil
		}
		return yccToRGB, nil
	case 4:
		if d.adobe && d.adobeTransform != 0 {
			return ycckToRGB, nil
		}
		return cmykToRGB, nil
	}
	return nil, errors.New("unreachable number of components")
}

func greyToRGB(dst []uint8, rows [][]uint8) {
	for x := 0; x < len(dst)/3; x++ {
		v := rows[0][x]
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

func copyRGB(dst []uint8, rows [][]uint8) {
	for x := 0; x < len(dst)/3; x++ {
		dst[3*x], dst[3*x+1], dst[3*x+2] = rows[0][x], rows[1][x], rows[2][x]
	}
}

// Multipliers of the JFIF (BT.601 full range) conversion in 16-bit fixed point, rounded.
const (
	crToR = 91881 // 1.40200
	cbToB = 116130
	crToG = 46802 // 0.71414
	cbToG = 22554 // 0.34414
	half  = 1 << 15
)

func ycc(y, cb, cr uint8) (r, g, b uint8) {
	l, u, v := int32(y), int32(cb)-128, int32(cr)-128
	r = clamp(l + (crToR*v+half)>>16)
	g = clamp(l + (-cbToG*u-crToG*v+half)>>16)
	b = clamp(l + (cbToB*u+half)>>16)
	return r, g, b
}

func yccToRGB(dst []uint8, rows [][]uint8) {
	n := len(dst) / 3
	y, cb, cr := rows[0][:n], rows[1][:n], rows[2][:n]
	for x := range y {
		p := dst[3*x : 3*x+3 : 3*x+3]
		p[0], p[1], p[2] = ycc(y[x], cb[x], cr[x])
	}
}

// cmykToRGB takes samples as Adobe writes them, with 255 for no ink, and mixes inks as Pillow does:
// (255-C)(255-K)/255.
func cmykToRGB(dst []uint8, rows [][]uint8) {
	for x := 0; x < len(dst)/3; x++ {
		k := rows[3][x]
		dst[3*x] = ink(255-rows[0][x], k)
		dst[3*x+1] = ink(255-rows[1][x], k)
		dst[3*x+2] = ink(255-rows[2][x], k)
	}
}

// ycckToRGB converts YCCK. The first three components are a YCC coding of 255 minus the stored (inverted) inks.
func ycckToRGB(dst []uint8, rows [][]uint8) {
	for x := 0; x < len(dst)/3; x++ {
		c, m, y := ycc(rows[0][x], rows[1][x], rows[2][x])
		k := rows[3][x]
		dst[3*x], dst[3*x+1], dst[3*x+2] = ink(c, k), ink(m, k), ink(y, k)
	}
}

// ink is light - light*amount/255, with the product rounded to nearest.
func ink(amount, light uint8) uint8 {
	t := int32(amount)*int32(light) + 128
	return clamp(int32(light) - (t>>8+t)>>8)
}
