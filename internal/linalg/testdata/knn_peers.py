#!/usr/bin/env python3
"""Times the exact k-nearest-neighbour search of scikit-learn and faiss on two threads, beside BenchmarkKthDistance.

    python3 knn_peers.py [--repeat R] [D ...]

Sizes and data are those of the benchmark: 50,000 rows and 1,000 queries of length one, k = 50, float32, features the positive
parts of normal numbers around one of a hundred centres. Building an index is not timed.
"""
import argparse
import os
import time

for name in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS":
    os.environ[name] = "2"

import faiss  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402


def unit_rows(n, dim, seed):
    centres = np.random.default_rng(0).standard_normal((100, dim), dtype=np.float32)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dim), dtype=np.float32)
    x += centres[rng.integers(0, 100, n)]
    np.maximum(x, 0, out=x)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def median_seconds(f, repeat):
    f()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeat // 2]


parser = argparse.ArgumentParser()
parser.add_argument("dims", nargs="*", type=int, default=[2048, 342])
parser.add_argument("--repeat", type=int, default=3)
args = parser.parse_args()
faiss.omp_set_num_threads(2)
for dim in args.dims:
    rows, queries = unit_rows(50000, dim, 1), unit_rows(1000, dim, 2)
    brute = NearestNeighbors(n_neighbors=50, algorithm="brute", n_jobs=2).fit(rows)
    index = faiss.IndexFlatL2(dim)
    index.add(rows)
    sk = median_seconds(lambda: brute.kneighbors(queries), args.repeat)
    fa = median_seconds(lambda: index.search(queries, 50), args.repeat)
    print(f"D={dim}: scikit-learn {sk:.3f} s, faiss {fa:.3f} s for 1,000 queries", flush=True)
