"""Writes paired.json, the expected values of TestPairedReference: python3 paired.py > paired.json

DeLong's test from its definition: the matrices of all pairs and numpy's covariances of their row and column means; p-values from
scipy.stats.norm, Holm's adjustment from statsmodels, the AUROC of misclassification from scikit-learn. Scores are higher for
in-distribution (ID) samples.
"""
import json
import os
import sys

sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests


def kernel(ids, oods):
    a, b = np.asarray(ids, float)[:, None], np.asarray(oods, float)[None, :]
    return (a > b) + 0.5 * (a == b)


def delong(a, b, level=0.9):
    """a and b: ID scores, and a list of the OOD sets' scores."""
    sets = len(a[1])
    theta, rows, variance = np.zeros(2), 0, 0
    for k in range(sets):
        both = np.stack([kernel(a[0], a[1][k]), kernel(b[0], b[1][k])])
        theta += both.mean((1, 2)) / sets
        rows = rows + both.mean(2) / sets
        s = np.cov(both.mean(1)) / len(a[1][k]) / sets**2
        variance += s[0, 0] + s[1, 1] - 2 * s[0, 1]
    s = np.cov(rows) / len(a[0])
    variance += s[0, 0] + s[1, 1] - 2 * s[0, 1]
    d, sd = theta[0] - theta[1], np.sqrt(variance)
    reach = norm.ppf((1 + level) / 2) * sd
    return {
        "a": {"id": list(map(float, a[0])), "ood": [list(map(float, o)) for o in a[1]]},
        "b": {"id": list(map(float, b[0])), "ood": [list(map(float, o)) for o in b[1]]},
        "difference": float(d), "lo": float(d - reach), "hi": float(d + reach), "p": float(2 * norm.sf(abs(d) / sd)), "sd": float(sd),
    }


def main():
    rng = np.random.default_rng(19790701)

    def draw(n, ms, gap, digits=None):
        """Two methods whose scores of a sample are correlated."""
        common = [rng.normal(gap, 1, n)] + [rng.normal(0, 1, m) for m in ms]
        out = []
        for noise in (0.4, 0.8):
            s = [c + noise * rng.normal(0, 1, len(c)) for c in common]
            s = [np.round(x, digits) if digits is not None else x for x in s]
            out.append((s[0], s[1:]))
        return out

    cases = [delong(*draw(40, [30], 1)), delong(*draw(60, [25, 50, 10], 0.7)), delong(*draw(50, [40, 40], 1, 0)), delong(*draw(2, [2], 0))]
    p = rng.uniform(0, 0.2, 12) ** 2
    score = np.round(rng.normal(0, 1, 80), 1)
    right = rng.uniform(0, 1, 80) < 1 / (1 + np.exp(-1.5 * score))
    json.dump({
        "delong": cases,
        "holm": {"p": p.tolist(), "adjusted": multipletests(p, method="holm")[1].tolist()},
        "misclassification": {"score": score.tolist(), "right": right.tolist(), "auroc": float(roc_auc_score(right, score))},
    }, sys.stdout, indent=None, separators=(",", ":"))
    print()


main()
