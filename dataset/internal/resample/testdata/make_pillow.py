#!/usr/bin/env python3
"""Writes pillow.txt: hashes of what Pillow's Image.resize makes of pictures of many sizes.

A line is "KIND CONTRAST HEIGHT WIDTH TO_HEIGHT TO_WIDTH HASH": the beginning of the SHA-256 of the RGB bytes. The picture is
noise by the formula below, so that it need not be stored; a high contrast saturates most samples, where bicubic overshoots. All
versions of Pillow from 9.4 to 12.3 give the same (see the package comment).

    pip install pillow==12.3.0 numpy && python3 make_pillow.py [FILE [NUMBER OF RANDOM CASES]]
"""
import hashlib
import pathlib
import random
import sys

import numpy as np
from PIL import Image

KINDS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}


def picture(h, w, contrast):
    i = np.arange(h * w * 3, dtype=np.uint64)
    v = (((i * 2654435761 + 97 * h + w) % 2**32) >> 13 & 255).astype(np.int64)
    return np.clip((v - 128) * contrast + 128, 0, 255).astype(np.uint8).reshape(h, w, 3)


def main(file, random_cases):
    sizes = [
        (256, 256, 224, 224), (256, 256, 256, 256), (375, 500, 256, 341), (500, 375, 341, 256), (224, 224, 256, 256),
        (32, 32, 224, 224), (28, 28, 32, 32), (1, 1, 16, 16), (1, 40, 16, 7), (40, 1, 7, 16), (2, 900, 8, 8), (190, 2, 8, 8),
        (1, 2000, 1, 1), (90, 1, 1, 3), (3, 3, 300, 1), (3, 3, 1, 300), (1000, 700, 2, 3), (7, 5, 600, 400), (1, 1, 500, 2),
        (64, 97, 63, 97), (64, 97, 64, 96), (99, 98, 98, 99), (1200, 900, 299, 224), (2, 2, 3, 3), (3, 3, 2, 2), (5, 5, 1, 1),
    ]
    rng = random.Random(11)
    for _ in range(random_cases):
        side = lambda: rng.choice([rng.randint(1, 12), rng.randint(1, 90), rng.randint(60, 500)])
        sizes.append((side(), side(), side(), side()))
    with open(file, "w") as out:
        for h, w, to_h, to_w in sizes:
            for kind, resample in KINDS.items():
                contrast = rng.choice([1, 1, 3, 100])
                im = Image.fromarray(picture(h, w, contrast)).resize((to_w, to_h), resample)
                digest = hashlib.sha256(np.asarray(im).tobytes()).hexdigest()[:16]
                print(kind, contrast, h, w, to_h, to_w, digest, file=out)


main(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "pillow.txt",
     int(sys.argv[2]) if len(sys.argv) > 2 else 60)
