#!/usr/bin/env python3
"""Writes pictures/: small pictures of every kind and mode, and beside each NAME.npy, what Pillow makes of it:
numpy.asarray(Image.open(NAME).convert("RGB")), uint8 (height, width, 3).

    pip install pillow==12.3.0 numpy && python3 make_pictures.py
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).parent / "pictures"


def noise(*shape, seed=0):
    """Bytes of a linear congruential generator, so that the pictures do not depend on numpy's generators."""
    x, out = seed * 7919 + 12345, []
    for _ in range(int(np.prod(shape))):
        x = (1103515245 * x + 12345) % 2**31
        out.append(x >> 16 & 255)
    return np.array(out, np.uint8).reshape(shape)


def scene(h, w, channels=3):
    """A smooth picture with an edge: what photographs put to JPEG."""
    y, x, c = np.mgrid[0:h, 0:w, 0:channels]
    v = 128 + 90 * np.sin(0.21 * x + 0.13 * y * (c + 1)) + 30 * ((x + y) % 17 < 6) - 20 * c
    return np.clip(v + noise(h, w, channels) / 16, 0, 255).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, depth, kind, raw, extra=b"", interlace=0):
    head = struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw, 9))
            + chunk(b"IEND", b""))


def rows(a):
    """Unfiltered scan lines of an array whose rows are bytes."""
    return b"".join(b"\0" + r.tobytes() for r in a)


def packed(h, w, depth, seed):
    return noise(h, (w * depth + 7) // 8, seed=seed)


def make_png():
    w, h = 13, 9
    big = lambda *s, seed: noise(*s, 2, seed=seed).view(">u2")[..., 0]
    small = big(h, w, seed=3) % 700  # around the saturation of 16 bit grey
    palette = noise(256, 3, seed=4)
    for depth in (1, 2, 4, 8):
        yield f"grey{depth}.png", png(w, h, depth, 0, rows(packed(h, w, depth, depth)))
        plte = chunk(b"PLTE", palette[: 2**depth].tobytes())
        yield f"palette{depth}.png", png(w, h, depth, 3, rows(packed(h, w, depth, depth)), plte)
    yield "grey16.png", png(w, h, 16, 0, rows(small.astype(">u2")))
    yield "grey16_trns.png", png(w, h, 16, 0, rows(small.astype(">u2")), chunk(b"tRNS", struct.pack(">H", small[2, 2])))
    yield "grey8_trns.png", png(w, h, 8, 0, rows(noise(h, w)), chunk(b"tRNS", struct.pack(">H", int(noise(h, w)[1, 1]))))
    yield "grey1_trns.png", png(w, h, 1, 0, rows(packed(h, w, 1, 1)), chunk(b"tRNS", struct.pack(">H", 1)))
    yield "grey_alpha8.png", png(w, h, 8, 4, rows(noise(h, w * 2)))
    yield "grey_alpha16.png", png(w, h, 16, 4, rows(noise(h, w * 4)))
    yield "rgb8.png", png(w, h, 8, 2, rows(noise(h, w * 3)))
    yield "rgb16.png", png(w, h, 16, 2, rows(noise(h, w * 6)))
    key = struct.pack(">HHH", *map(int, noise(h, w, 3)[1, 1]))
    yield "rgb8_trns.png", png(w, h, 8, 2, rows(noise(h, w * 3)), chunk(b"tRNS", key))
    yield "rgb16_trns.png", png(w, h, 16, 2, rows(noise(h, w * 6)), chunk(b"tRNS", noise(h, w, 6)[0, 0].tobytes()))
    yield "rgba8.png", png(w, h, 8, 6, rows(noise(h, w * 4)))
    yield "rgba16.png", png(w, h, 16, 6, rows(noise(h, w * 8)))
    plte = chunk(b"PLTE", palette.tobytes())
    yield "palette8_trns.png", png(w, h, 8, 3, rows(noise(h, w)), plte + chunk(b"tRNS", noise(200, seed=5).tobytes()))
    short = chunk(b"PLTE", palette[:100].tobytes())
    yield "palette8_short.png", png(w, h, 8, 3, rows(noise(h, w)), short)
    a = noise(h, w, 3, seed=6)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    yield "rgb8_interlaced.png", png(w, h, 8, 2, b"".join(rows(a[y::dy, x::dx].reshape(-(-(h - y) // dy), -1))
                                                         for y, x, dy, dx in passes), interlace=1)


def save(im, kind, **options):
    b = io.BytesIO()
    im.save(b, kind, **options)
    return b.getvalue()


def paletted(h, w, seed, colours=256):
    im = Image.fromarray((noise(h, w, seed=seed) % np.uint16(colours)).astype(np.uint8)).convert("P")
    im.putpalette(noise(colours, 3, seed=seed + 1).tobytes())
    return im


def gif_frame(screen, at, size, transparent=None, local=False):
    """A two-colour GIF whose frame does not fill its screen, LZW codes written without compression."""
    table = noise(4, 3, seed=11).tobytes()
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81 if not local else 0, 1, 0) + (b"" if local else table)
    if transparent is not None:
        head += b"\x21\xf9\x04" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    head += b"\x2c" + struct.pack("<HHHHB", *at, *size, 0x81 if local else 0) + (table if local else b"")
    bits, n = 0, 0
    for i, v in enumerate(noise(size[0] * size[1], seed=12) % 4):
        for code in ([4] if i % 2 == 0 else []) + [int(v)]:
            bits |= code << n
            n += 3
    bits |= 5 << n
    data = bits.to_bytes((n + 10) // 8, "little")
    blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))
    return head + b"\x02" + blocks + b"\0;"


def make_gif():
    yield "palette.gif", save(paletted(20, 21, 7), "GIF")
    yield "palette_transparent.gif", save(paletted(20, 21, 7), "GIF", transparency=5)
    yield "grey.gif", save(Image.fromarray(noise(20, 21)), "GIF")
    yield "animated.gif", save(paletted(12, 13, 8), "GIF", save_all=True, append_images=[paletted(12, 13, 9)])
    yield "frame_inside.gif", gif_frame((13, 11), (3, 2), (7, 5))
    yield "frame_inside_transparent.gif", gif_frame((13, 11), (3, 2), (7, 5), transparent=2)
    yield "frame_local_palette.gif", gif_frame((7, 5), (0, 0), (7, 5), transparent=1, local=True)
    yield "frame_outside.gif", gif_frame((4, 4), (3, 2), (7, 5))


def make_bmp():
    rgba = Image.frombytes("RGBA", (13, 9), noise(9, 13, 4).tobytes())
    yield "bits1.bmp", save(Image.fromarray(noise(9, 13)).convert("1", dither=0), "BMP")
    yield "grey8.bmp", save(Image.fromarray(noise(9, 13)), "BMP")
    yield "palette8.bmp", save(paletted(9, 13, 3), "BMP")
    yield "rgb24.bmp", save(Image.fromarray(noise(9, 13, 3)), "BMP")
    yield "rgba32.bmp", save(rgba, "BMP")
    info = struct.pack("<IiiHHIIiiII", 40, 13, -9, 1, 24, 0, 0, 0, 0, 0, 0)
    body = b"".join(r.tobytes() + b"\0" for r in noise(9, 39))
    yield "top_down.bmp", b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + info + body


def make_webp():
    rgb = Image.fromarray(scene(27, 35))
    rgba = Image.frombytes("RGBA", (35, 27), np.concatenate([scene(27, 35), noise(27, 35, 1)], 2).tobytes())
    yield "lossy.webp", save(rgb, "WEBP", quality=70)
    yield "lossy_even.webp", save(rgb.resize((32, 16)), "WEBP", quality=30)
    yield "lossy_narrow.webp", save(rgb.crop((0, 0, 1, 9)), "WEBP", quality=90)
    yield "lossy_alpha.webp", save(rgba, "WEBP", quality=70)
    yield "lossless.webp", save(rgb, "WEBP", lossless=True)
    yield "lossless_alpha.webp", save(rgba, "WEBP", lossless=True, exact=True)
    exif = Image.Exif()
    exif[274] = 6  # orientation, not to be applied
    yield "lossless_alpha_extended.webp", save(rgba.crop((0, 0, 9, 7)), "WEBP", lossless=True, exact=True, exif=exif)
    yield "odd_profile.webp", save(rgb.crop((0, 0, 9, 7)), "WEBP", quality=50, icc_profile=b"odd")
    yield "animated.webp", save(rgb.crop((0, 0, 12, 10)), "WEBP", save_all=True, quality=60,
                                append_images=[rgb.crop((5, 5, 17, 15))])


def with_sampling(data, factors, size=None):
    """Replaces the sampling factors (and the size) in the frame header; the blocks per unit must stay the same."""
    b, i = bytearray(data), 2
    while b[i + 1] not in (0xC0, 0xC1, 0xC2):
        i += 2 + b[i + 2] * 256 + b[i + 3]
    if size:
        b[i + 5:i + 9] = struct.pack(">HH", size[1], size[0])
    for j, f in enumerate(factors):
        b[i + 11 + 3 * j] = f
    return bytes(b)


def make_jpeg():
    rgb = Image.fromarray(scene(27, 35))
    square = Image.fromarray(scene(32, 32))
    cmyk = Image.frombytes("CMYK", (35, 27), scene(27, 35, 4).tobytes())
    cmyk_square = Image.frombytes("CMYK", (32, 32), scene(32, 32, 4).tobytes())
    exif = Image.Exif()
    exif[274] = 6
    for name, ss in (("444", 0), ("422", 1), ("420", 2)):
        yield f"rgb_{name}.jpg", save(rgb, "JPEG", quality=80, subsampling=ss)
        yield f"rgb_{name}_progressive.jpg", save(rgb, "JPEG", quality=90, subsampling=ss, progressive=True)
    yield "rgb_420_restart.jpg", save(rgb, "JPEG", quality=60, subsampling=2, restart_marker_blocks=2)
    yield "rgb_420_progressive_restart.jpg", save(rgb, "JPEG", quality=60, subsampling=2, progressive=True,
                                                  restart_marker_blocks=3)
    yield "rgb_420_quality5.jpg", save(rgb, "JPEG", quality=5, subsampling=2)
    yield "rgb_420_narrow.jpg", save(rgb.crop((0, 0, 3, 20)), "JPEG", quality=90, subsampling=2)
    yield "rgb_420_orientation.jpg", save(rgb, "JPEG", quality=50, subsampling=2, exif=exif)
    yield "rgb_440.jpg", with_sampling(save(square, "JPEG", quality=80, subsampling=1), (0x12, 0x11, 0x11))
    yield "rgb_411.jpg", with_sampling(save(square, "JPEG", quality=80, subsampling=2), (0x41, 0x11, 0x11))
    yield "rgb_stored.jpg", save(rgb, "JPEG", quality=80, keep_rgb=True, subsampling=0)
    yield "grey.jpg", save(rgb.convert("L"), "JPEG", quality=80)
    yield "grey_progressive.jpg", save(rgb.convert("L"), "JPEG", quality=80, progressive=True)
    plain = save(cmyk, "JPEG", quality=80, subsampling=2)
    yield "cmyk_420.jpg", plain
    yield "cmyk_444_progressive.jpg", save(cmyk, "JPEG", quality=80, subsampling=0, progressive=True)
    at = plain.index(b"Adobe") + 11
    yield "ycck_420.jpg", plain[:at] + b"\2" + plain[at + 1:]
    mixed = save(cmyk_square, "JPEG", quality=80, subsampling=2)
    yield "cmyk_mixed_sampling.jpg", with_sampling(mixed, (0x21, 0x12, 0x21, 0x11), (29, 31))


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for make in (make_png, make_gif, make_bmp, make_webp, make_jpeg):
        for name, data in make():
            (OUT / name).write_bytes(data)
            with Image.open(io.BytesIO(data)) as im:
                np.save(OUT / f"{name}.npy", np.asarray(im.convert("RGB")))


main()
