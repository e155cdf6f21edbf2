"""Writes the fixtures of this folder with NumPy. Values are by formula, so that the tests need no second file.

Array "<kind><size><order>_<axes>" holds f(i) for the flat row-major index i over shape (2, 3, 4):
floats i - 5.5, signed i - 7, unsigned i, bool i % 3 == 0.
"""
import io
import os
import zipfile

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
shape = (2, 3, 4)
i = np.arange(24).reshape(shape)

arrays = {}
for code in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]:
    for name, order in [("little", "<"), ("big", ">")]:
        values = {"f": i - 5.5, "i": i - 7, "u": i, "b": i % 3 == 0}[code[0]]
        a = values.astype(order + code)
        arrays[f"{code}_{name}_c"] = np.ascontiguousarray(a)
        arrays[f"{code}_{name}_fortran"] = np.asfortranarray(a)
np.savez(os.path.join(here, "dtypes.npz"), **arrays)

np.savez_compressed(
    os.path.join(here, "text.npz"),
    scalar=np.array("densenet, \u00fcber \U0001f600"),
    list=np.array(["a", "", "ccc"]),
    table=np.asfortranarray(np.array([["a", "bb"], ["ccc", "d"]])),
    big=np.array(["x", "yz"]).astype(">U2"),
    bytes=np.array([b"ab", b"c"]),
    number=np.array(2.5),
    empty=np.zeros((0, 3), np.float32),
)


def npy(array, version):
    b = io.BytesIO()
    np.lib.format.write_array(b, array, version=version)
    return b.getvalue()


for version in [(1, 0), (2, 0), (3, 0)]:
    with open(os.path.join(here, f"version{version[0]}.npy"), "wb") as f:
        f.write(npy(np.arange(6, dtype=np.float32).reshape(2, 3), version))

with zipfile.ZipFile(os.path.join(here, "members.npz"), "w") as z:
    with z.open("forced.npy", "w", force_zip64=True) as f:
        f.write(npy(np.arange(3.0), (1, 0)))
    z.writestr("bare", npy(np.arange(4), (1, 0)))

np.save(os.path.join(here, "object.npy"), np.array([None, 1], dtype=object))
np.save(os.path.join(here, "struct.npy"), np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.save(os.path.join(here, "complex.npy"), np.zeros(2, dtype=np.complex64))
