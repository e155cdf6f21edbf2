"""Writes checkpoints with the installed PyTorch, and beside them what torch.load reads from them.

    python make.py              # VERSION/: views of all kinds in each format and pickle protocol, and what must be refused
    python make.py DIR SEED N   # DIR/0.pth ...: N checkpoints of random views

DIR/expected.npz holds "FILE/NAME" for each tensor of each file that can be read: float32 for floating point, int64 for the rest, as the
tensors that torch.load returns say. DIR/refused.json names the files that have no such values.
"""
import json
import os
import random
import sys

import numpy as np
import torch

FLOATS = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]


def values(tensor):
    """What a reader of plain numbers must say."""
    t = tensor.detach().resolve_conj().resolve_neg()
    return (t.to(torch.float32) if t.is_floating_point() else t.to(torch.int64)).contiguous().numpy()


def views():
    base = torch.arange(24, dtype=torch.float32) / 8 - 1
    special = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-7, 6e-8, 65504.0, -3.1416])
    z = torch.complex(torch.arange(6.0), torch.arange(6.0) * 2 + 1)
    out = {
        "whole": base.reshape(2, 3, 2, 2),
        "transposed": base.reshape(4, 6).t(),
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "cut": base.reshape(4, 6)[1:3, 2:5],
        "step": base[1::3],
        "expanded": base[3:5].reshape(2, 1).expand(2, 3),
        "overlapping": base.as_strided((3, 4), (2, 1), 5),
        "diagonal": base[:16].reshape(4, 4).diagonal(),
        "scalar": base[5],
        "empty": base[:0].reshape(0, 3),
        "channels_last": base.reshape(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base[:6].reshape(2, 3)),
        "buffer": torch.nn.Parameter(torch.arange(3, dtype=torch.int32), requires_grad=False),
        "imaginary": torch.imag(z.clone().conj()),  # a view of complex numbers with the negative bit
        "bool": torch.tensor([[True, False, True]]).t(),
    }
    for dtype in FLOATS:
        name = str(dtype).split(".")[1]
        out[name] = special.to(dtype)
        out[name + ".view"] = base.to(dtype).reshape(4, 6).t()[1:4]
    for dtype in INTEGERS:
        info = torch.iinfo(dtype)
        out[str(dtype).split(".")[1]] = torch.tensor([info.min, 0, 1, info.max], dtype=dtype)[::2]
    return out


def refused():
    z = torch.complex(torch.arange(4.0), torch.ones(4))
    out = {
        "complex": z,
        "conjugate": z.clone().conj(),
        "sparse": torch.eye(3).to_sparse(),
        "compressed": torch.eye(3).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "channels": torch.quantize_per_channel(torch.ones(2, 2), torch.ones(2), torch.zeros(2), 0, torch.quint8),
    }
    for name in ["float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64"]:
        if hasattr(torch, name):
            out[name] = torch.arange(4).to(getattr(torch, name))
    return {k: {"w": torch.ones(2), k: v} for k, v in out.items()}


def some(rng):
    """A state dict of random views into a few storages."""
    out = {}
    for s in range(rng.randint(1, 4)):
        n = rng.randint(1, 60)
        if rng.random() < 0.6:
            dtype = rng.choice(FLOATS)
            storage = (torch.tensor([rng.gauss(0, 1) * 10 ** rng.randint(-9, 4) for _ in range(n)], dtype=torch.float64)).to(dtype)
        else:
            dtype = rng.choice(INTEGERS)
            info = torch.iinfo(dtype)
            storage = torch.tensor([rng.randint(info.min, info.max) for _ in range(n)], dtype=dtype)
        for v in range(rng.randint(1, 4)):
            shape, stride, last = [], [], 0
            for _ in range(rng.randint(0, 4)):
                size, step = rng.randint(0, 4), rng.randint(0, 7)
                if size > 1 and last + (size - 1) * step >= n:
                    size = 1
                last += max(size - 1, 0) * step
                shape.append(size)
                stride.append(step)
            out[f"s{s}.v{v}"] = storage.as_strided(shape, stride, rng.randint(0, n - 1 - last))
    return out


def main():
    torch.manual_seed(0)
    if len(sys.argv) > 1:
        where, rng = sys.argv[1], random.Random(int(sys.argv[2]))
        files = {
            f"{i}.pth": (some(rng), dict(pickle_protocol=rng.randint(2, 5), _use_new_zipfile_serialization=rng.random() < 0.6))
            for i in range(int(sys.argv[3]))
        }
        bad = {}
    else:
        where = os.path.join(os.path.dirname(os.path.abspath(__file__)), torch.__version__.split("+")[0])
        files = {
            f"{kind}_{protocol}.pth": (views(), dict(pickle_protocol=protocol, _use_new_zipfile_serialization=kind == "zip"))
            for kind in ["zip", "legacy"]
            for protocol in [2, 3, 4, 5]
        }
        bad = {f"refused_{k}.pth": v for k, v in refused().items()}
    os.makedirs(where, exist_ok=True)
    expected = {}
    for name, (state, how) in files.items():
        path = os.path.join(where, name)
        torch.save(state, path, **how)
        for key, tensor in torch.load(path, **({"weights_only": False} if torch.__version__ >= "2" else {})).items():
            expected[f"{name}/{key}"] = values(tensor)
    for name, state in bad.items():
        torch.save(state, os.path.join(where, name))
    np.savez_compressed(os.path.join(where, "expected.npz"), **expected)
    with open(os.path.join(where, "refused.json"), "w") as f:
        json.dump(sorted(bad), f, indent=1)
        f.write("\n")


main()
