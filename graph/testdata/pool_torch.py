"""Writes pool_torch.json: PyTorch's pooling and its gradients where the definition leaves doubt (ceil mode, divisors, NaN, ties).

Run with PyTorch 1.13: python3 pool_torch.py. Inputs are x[i] = sin(0.37 i) of shape [1, 2, height, width], with ties (rounded
to one digit) or NaN where the case says so; the cotangent is cos(0.51 i). NaN is written as null.
"""

import itertools
import json
import math

import torch
import torch.nn.functional as F


def numbers(t):
    return [None if math.isnan(v) else round(v, 10) for v in t.flatten().tolist()]


def case(kind, size, k, s, p, d=1, ceil=False, include=True, ties=False, nan=()):
    n = 2 * size[0] * size[1]
    x = torch.tensor([math.sin(0.37 * i) for i in range(n)], dtype=torch.float64)
    if ties:
        x = (x * 10).round() / 10
    for i in nan:
        x[i] = float("nan")
    x = x.reshape(1, 2, *size).requires_grad_()
    if kind == "max":
        y = F.max_pool2d(x, k, s, p, d, ceil_mode=ceil)
    else:
        y = F.avg_pool2d(x, k, s, p, ceil_mode=ceil, count_include_pad=include)
    seed = torch.tensor([math.cos(0.51 * i) for i in range(y.numel())], dtype=torch.float64).reshape(y.shape)
    y.backward(seed)
    return dict(kind=kind, size=size, kernel=k, stride=s, padding=p, dilation=d, ceil=ceil, include=include, ties=ties,
                nan=list(nan), shape=list(y.shape), y=numbers(y), dx=numbers(x.grad))


cases = []
for size, (k, s, p) in itertools.product([(5, 5), (6, 7)], [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 2), (3, 3), (1, 1)), ((2, 2), (3, 3), (1, 1))]):
    cases.append(case("max", size, k, s, p, ceil=True))
    for include in (False, True):
        cases.append(case("avg", size, k, s, p, ceil=True, include=include))
cases.append(case("max", (7, 8), (3, 2), (2, 1), (1, 1), d=(2, 3), ceil=True))
cases.append(case("max", (7, 8), (3, 3), (1, 2), (1, 0), d=(2, 1)))
cases.append(case("max", (6, 6), (3, 3), (1, 1), (1, 1), ties=True))
cases.append(case("max", (4, 4), (2, 2), (1, 1), (0, 0), nan=(1, 5, 6, 20)))
cases.append(case("avg", (4, 4), (2, 2), (2, 2), (0, 0), nan=(1, 20)))
cases.append(case("max", (2, 2), (2, 2), (2, 2), (0, 0), nan=range(8)))

with open("pool_torch.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
