"""Writes sklearn.json, the expected values of TestScikitLearn: python3 sklearn.py > sklearn.json

Made with Python 3.11, numpy 2.4.6 and scikit-learn 1.9.1. Scores are higher for in-distribution (ID) samples.
"""
import json
import os
import sys

# This file's own folder comes first on the path, where "import sklearn" would find this file.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve


def expected(name, id_scores, ood_scores):
    s = np.concatenate([id_scores, ood_scores]).astype(np.float64)
    is_id = np.concatenate([np.ones(len(id_scores), int), np.zeros(len(ood_scores), int)])
    fpr, tpr, _ = roc_curve(1 - is_id, -s)
    threshold = np.sort(np.asarray(id_scores, float))[round(0.05 * len(id_scores))]
    fpr_all, tpr_all, _ = roc_curve(is_id, s, drop_intermediate=False)
    return {
        "name": name,
        "id": [float(v) for v in id_scores],
        "ood": [float(v) for v in ood_scores],
        "fpr95": float(np.mean(np.asarray(ood_scores, float) > threshold)),
        "fpr95_openood": float(fpr[np.argmax(tpr >= 0.95)]),
        "auroc": float(roc_auc_score(is_id, s)),
        "aupr_in": float(average_precision_score(is_id, s)),
        "aupr_out": float(average_precision_score(1 - is_id, -s)),
        "dterr": float(np.min(0.5 * (1 - tpr_all) + 0.5 * fpr_all)),
        "roc": [[float(f), float(t)] for f, t in zip(fpr_all, tpr_all)],
    }


def main():
    rng = np.random.default_rng(20230618)
    cases = [
        ("separated", [3, 4, 5], [0, 1, 2]),
        ("inverted", [0, 1, 2], [3, 4, 5]),
        ("one of each", [1], [0]),
        ("one of each, tied", [1], [1]),
        ("all tied", [2] * 7, [2] * 3),
        ("ties across", [0.5, 0.5, 0.7, 0.9, 0.9, 1.0], [0.1, 0.5, 0.5, 0.7, 1.0]),
        # As many ID and OOD samples at successive scores: roc_curve drops the points between.
        ("collinear", np.repeat(np.arange(40), 1), np.repeat(np.arange(40), 1)),
        ("collinear pairs", np.repeat(np.arange(30), 2), np.repeat(np.arange(30), 1)),
        ("normal", rng.normal(1, 1, 60), rng.normal(-1, 1, 25)),
        ("normal, rounded", np.round(rng.normal(0.7, 1, 50), 1), np.round(rng.normal(-0.7, 1, 90), 1)),
        ("saturated", np.minimum(1, rng.normal(1, 0.2, 70)), np.minimum(1, rng.normal(0.8, 0.2, 20))),
        ("many OOD", rng.normal(0.3, 1, 10), rng.normal(0, 1, 110)),
    ]
    json.dump([expected(*c) for c in cases], sys.stdout, indent=None, separators=(",", ":"))
    print()


main()
