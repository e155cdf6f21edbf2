#!/usr/bin/env python3
"""Writes resize.npz: what torchvision's Resize and CenterCrop for PIL images make of pictures of many sizes.

Each array is named HEIGHTxWIDTH_rRESIZE_cCROP (0: step left out) and is uint8 (height, width, 3). The input picture is
noise by the formula below, so that it need not be stored. Resize and CenterCrop are written out as torchvision defines
them, on Pillow's resize, crop and expand. Since Pillow 13 the vertical pass comes first where the height shrinks by more
than twice as many pixels as the width, which moves single samples by one; all versions from 9.4 to 12.3 give the same.

    pip install pillow==12.3.0 numpy && python3 make_resize.py [FILE [NUMBER OF RANDOM CASES]]
"""
import pathlib
import random
import sys

import numpy as np
from PIL import Image, ImageOps


def picture(h, w):
    i = np.arange(h * w * 3, dtype=np.uint64)
    return (((i * 2654435761 + 97 * h + w) % 2**32) >> 13 & 255).astype(np.uint8).reshape(h, w, 3)


def resize(im, n):
    w, h = im.size
    short, long = (w, h) if w <= h else (h, w)
    new_long = int(n * long / short)
    new = (n, new_long) if w <= h else (new_long, n)
    return im if new == im.size else im.resize(new, Image.Resampling.BILINEAR)


def center_crop(im, n):
    w, h = im.size
    if n > w or n > h:
        pad = [(n - w) // 2 if n > w else 0, (n - h) // 2 if n > h else 0,
               (n - w + 1) // 2 if n > w else 0, (n - h + 1) // 2 if n > h else 0]
        im = ImageOps.expand(im, tuple(pad), 0)
        w, h = im.size
        if (w, h) == (n, n):
            return im
    top, left = int(round((h - n) / 2.0)), int(round((w - n) / 2.0))
    return im.crop((left, top, left + n, top + n))


def main(file, random_cases):
    cases = [
        (28, 28, 32, 32),  # up, as MNIST
        (64, 64, 32, 32), (33, 47, 32, 32), (31, 47, 32, 32), (32, 32, 32, 32), (32, 35, 32, 32), (45, 32, 32, 32),
        (1, 1, 16, 16), (1, 40, 16, 16), (40, 1, 16, 16), (2, 90, 8, 8), (1, 200, 1, 1), (200, 3, 5, 9),
        (9, 13, 0, 16), (13, 20, 0, 16), (21, 17, 0, 16), (16, 16, 0, 16), (15, 18, 0, 16),  # crop alone, with padding
        (10, 14, 7, 12), (14, 10, 7, 12), (30, 20, 12, 0), (20, 30, 12, 0), (5, 6, 11, 0), (7, 6, 0, 0),  # no crop
        (17, 300, 8, 8), (600, 500, 16, 14), (97, 64, 20, 17), (97, 65, 20, 17), (99, 66, 21, 16),
    ]
    rng = random.Random(5)
    for _ in range(random_cases):
        side = lambda: rng.choice([rng.randint(1, 12), rng.randint(1, 90), rng.randint(60, 400)])
        h, w, n = side(), side(), rng.choice([0, rng.randint(1, 40)])
        crop = rng.randint(1, 20) if n == 0 or max(h, w) > 2 * min(h, w) else rng.choice([0, rng.randint(1, 24)])
        cases.append((h, w, n, crop))
    out = {}
    for h, w, n, crop in cases:
        im = Image.fromarray(picture(h, w))
        if n:
            im = resize(im, n)
        if crop:
            im = center_crop(im, crop)
        out[f"{h}x{w}_r{n}_c{crop}"] = np.asarray(im)
    np.savez_compressed(file, **out)


main(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "resize.npz",
     int(sys.argv[2]) if len(sys.argv) > 2 else 40)
