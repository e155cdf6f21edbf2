"""Let shapiq, shap and captum estimate on goline's games, and write what they find for `goline attribute compare --import`.

    python peers.py --out DIR --budgets 1000,3420 [--seed 2] [--only NAME,NAME] [--patience SECONDS] -- goline FLAGS

FLAGS are those of `goline attribute play`: network, weights, images, value, layer. One file NAME.npz is written for each
estimator whose library is installed, and again after each game; what a file holds already is not done again. --budgets count
values; --cost says how many forward-equivalents one is, 1 on penultimate neurons and less on other layers, so that files name the
budgets of `compare`. An estimate that took longer than --patience seconds is the last of its estimator. Evaluations are counted by the client, not believed;
seconds hold the game's own.
"""
import argparse
import os
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np

from goline_game import Games


def estimators():
    """Functions of (game, players, budget, seed) that return Shapley values, by name; game maps bool [rows, players] to float64 [rows]."""
    found = {}
    try:
        import shapiq
        from shapiq import approximator
    except ImportError as problem:
        print("without shapiq:", problem, file=sys.stderr)
    else:
        version = "shapiq-%s-" % shapiq.__version__

        def run(make, extra=0):
            def estimate(game, players, budget, seed):
                return make(players, seed).approximate(budget - extra, game).get_n_order_values(1)
            return estimate

        makers = {
            "oddshap": lambda n, s: approximator.OddSHAP(n=n, random_state=s),
            "proxyshap-adjusted": lambda n, s: approximator.ProxySHAP(n=n, max_order=1, index="SV", adjustment=True, random_state=s),
            "proxyshap": lambda n, s: approximator.ProxySHAP(n=n, max_order=1, index="SV", random_state=s),
            "regressionmsr": lambda n, s: approximator.RegressionMSR(n=n, index="SV", random_state=s),
            "leverageshap": lambda n, s: approximator.LeverageSHAP(n=n, random_state=s),
            "kernelshap-paired": lambda n, s: approximator.KernelSHAP(n=n, pairing_trick=True, random_state=s),
            "permutation": lambda n, s: approximator.PermutationSamplingSV(n=n, random_state=s),
        }
        for name, make in makers.items():
            found[version + name] = run(make)
    try:
        import shap
    except ImportError as problem:
        print("without shap:", problem, file=sys.stderr)
    else:
        version = "shap-%s-" % shap.__version__

        def kernel(game, players, budget, seed):
            np.random.seed(seed)
            explainer = shap.KernelExplainer(lambda x: game(x > 0.5), np.zeros((1, players)))
            return explainer.shap_values(np.ones((1, players)), nsamples=budget - 2, l1_reg=0, silent=True)[0]

        def permutation(game, players, budget, seed):
            explainer = shap.explainers.Permutation(lambda x: game(x > 0.5), np.zeros((1, players)), seed=seed)
            return explainer(np.ones((1, players)), max_evals=budget, silent=True).values[0]

        found[version + "kernel"], found[version + "permutation"] = kernel, permutation
    try:
        import captum
        import torch
        from captum.attr import KernelShap, ShapleyValueSampling
    except (ImportError, ValueError, OSError) as problem:
        print("without captum:", problem, file=sys.stderr)
    else:
        version = "captum-%s-" % captum.__version__

        def attribute(method, samples):
            def estimate(game, players, budget, seed):
                torch.manual_seed(seed)
                np.random.seed(seed)
                explainer = method(lambda x: torch.from_numpy(game(x.numpy() > 0.5).copy()))
                one, zero = torch.ones(1, players, dtype=torch.float64), torch.zeros(1, players, dtype=torch.float64)
                return explainer.attribute(one, zero, n_samples=samples(budget, players), perturbations_per_eval=256).numpy()[0]
            return estimate

        found[version + "sampling"] = attribute(ShapleyValueSampling, lambda budget, players: (budget - 1) // players)
        found[version + "kernel"] = attribute(KernelShap, lambda budget, players: budget - 2)
    return found


def read(path):
    """The rows of a file that an earlier run wrote."""
    if not os.path.exists(path):
        return []
    with np.load(path) as f:
        columns = [f[c] for c in ("games", "budgets", "evaluations", "seconds", "ends", "values")]
    return [(str(game), float(budget), int(asked), float(taken), ends, values) for game, budget, asked, taken, ends, values in zip(*columns)]


def write(path, name, rows):
    games, budgets, evaluations, seconds, ends, values = zip(*rows)
    np.savez(path, estimator=np.array(name), games=np.array(games), budgets=np.array(budgets, float), evaluations=np.array(evaluations),
             seconds=np.array(seconds), ends=np.array(ends), values=np.array(values))


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--out", required=True, help="folder to write to")
    asked.add_argument("--budgets", default="1000,3420,10000,34200")
    asked.add_argument("--cost", type=float, default=1, help="forward-equivalents of one value")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", help="estimators, by a part of their names")
    asked.add_argument("--patience", type=float, default=120, help="seconds")
    asked.add_argument("goline", nargs="+", help="the program and the flags of attribute play")
    asked = asked.parse_args()
    os.makedirs(asked.out, exist_ok=True)
    played = Games(*asked.goline)
    ends = [played(np.array([[False], [True]]).repeat(played.players, 1), g) for g in range(len(played.games))]
    for name, estimate in estimators().items():
        if asked.only and not any(word in name for word in asked.only.split(",")):
            continue
        path = os.path.join(asked.out, name + ".npz")
        rows, slow = read(path), 0.0
        for budget in map(int, asked.budgets.split(",")):
            spent = float("%.6g" % (budget * asked.cost))
            for g, description in enumerate(played.games):
                if any(r[:2] == (description["name"], spent) for r in rows):
                    continue
                if slow > asked.patience:
                    break
                before, start = played.evaluations, time.perf_counter()
                try:
                    values = np.asarray(estimate(lambda s: played(s, g), played.players, budget, asked.seed + 1000 * g), dtype=np.float64)
                except Exception as problem:  # a budget that is too small, mostly
                    print("%s, %d, %s: %s: %s" % (name, budget, description["name"], type(problem).__name__, problem), file=sys.stderr)
                    break
                seconds = time.perf_counter() - start
                slow = max(slow, seconds)
                if not np.isfinite(values).all():
                    print("%s, %d, %s: values that are not finite" % (name, budget, description["name"]), file=sys.stderr)
                    continue
                rows.append((description["name"], spent, played.evaluations - before, seconds, ends[g], values))
                write(path, name, rows)
            mine = [r for r in rows if r[1] == spent]
            if mine:
                print("%s, %d: %d games, %.0f evaluations, %.2f s each" % (
                    name, budget, len(mine), np.mean([r[2] for r in mine]), np.mean([r[3] for r in mine])), flush=True)
    return played.close()


if __name__ == "__main__":
    sys.exit(main())
