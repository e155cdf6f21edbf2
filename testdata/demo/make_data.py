"""Writes the image sets of the demo as gzipped idx files, all grey and 28x28.

Needs numpy, Pillow, scikit-learn 1.x and scikit-image 0.24 (for the pictures that they come with), and Debian's
dataset-fashion-mnist. Usage: python3 make_data.py [FASHION_DIR] [SKIMAGE_DATA_DIR]
"""
import gzip
import os
import struct
import sys

import numpy as np
from PIL import Image

FASHION = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist"
SKIMAGE = sys.argv[2] if len(sys.argv) > 2 else None
HERE = os.path.dirname(os.path.abspath(__file__))


def read_idx(name):
    with gzip.open(os.path.join(FASHION, name)) as f:
        raw = f.read()
    axes = raw[3]
    shape = struct.unpack(">%di" % axes, raw[4:4 + 4 * axes])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def write_idx(name, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(">%di" % array.ndim, *array.shape)
    with open(os.path.join(HERE, name), "wb") as f:
        with gzip.GzipFile(fileobj=f, mode="wb", compresslevel=9, filename="", mtime=0) as z:
            z.write(header + np.ascontiguousarray(array, np.uint8).tobytes())


def balanced(images, labels, each):
    """The first images of each class, in their order."""
    keep = np.sort(np.concatenate([np.flatnonzero(labels == k)[:each] for k in range(10)]))
    return images[keep], labels[keep]


def picture(name):
    folder = SKIMAGE
    if folder is None:
        import skimage

        folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    return Image.open(os.path.join(folder, name)).convert("L")


def cuttings(names, sides, count, seed):
    """Random squares of the pictures, brought to 28x28; those without anything in them are passed over."""
    rng = np.random.default_rng(seed)
    out = []
    for name in names:
        whole = picture(name)
        got = 0
        while got < count // len(names):
            side = int(rng.choice(sides))
            x, y = int(rng.integers(whole.width - side + 1)), int(rng.integers(whole.height - side + 1))
            small = np.asarray(whole.crop((x, y, x + side, y + side)).resize((28, 28), Image.LANCZOS))
            if small.std() < 8:
                continue
            out.append(small)
            got += 1
    return np.stack(out)


def digits(each):
    from sklearn.datasets import load_digits

    d = load_digits()
    images, _ = balanced(d.images, d.target, each)
    grey = (images * 255 / 16).round().astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(g).resize((28, 28), Image.BICUBIC)) for g in grey])


for part, source, each in (("fit", "train", 200), ("test", "t10k", 100)):
    images, labels = balanced(read_idx(source + "-images-idx3-ubyte.gz"), read_idx(source + "-labels-idx1-ubyte.gz"), each)
    write_idx("fashion-%s-images.gz" % part, images)
    write_idx("fashion-%s-labels.gz" % part, labels)
write_idx("digits.gz", digits(50))
write_idx("textures.gz", cuttings(["brick.png", "grass.png", "gravel.png"], [28, 56, 84], 498, 1))
write_idx("photographs.gz", cuttings(["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg"], [56, 84, 112, 168], 500, 2))
write_idx("galaxies.gz", cuttings(["hubble_deep_field.jpg"], [28, 42, 56, 84], 500, 3))
