# Makes reference.json: what other people's implementations make of the same p-values and calibration sizes.
#
#   python3 -m venv v && v/bin/pip install numpy scipy online-fdr==1.0.0
#   v/bin/pip download --no-deps --no-binary :none: --python-version 3.12 --only-binary :all: nonconform==1.1.1   # unpack it to NONCONFORM
#   git clone https://github.com/dsrobertson/onlineFDR && git -C onlineFDR checkout 1d89c48                       # R, with Rcpp and RcppProgress
#   v/bin/python make_reference.py NONCONFORM onlineFDR
#
# nonconform's files are loaded one by one, since the package as a whole needs much more than they do.
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
from online_fdr.core.utils.static import by as of_by
from online_fdr.core.utils.static import bh as of_bh
from online_fdr.p_values.investing.addis.addis import Addis
from online_fdr.p_values.investing.lond.lond import Lond
from online_fdr.p_values.investing.lord.dependent import LordDependent
from online_fdr.p_values.investing.lord.plus_plus import LordPlusPlus
from online_fdr.p_values.investing.saffron.saffron import Saffron
from scipy import stats

nonconform, onlinefdr = sys.argv[1:]


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(nonconform, path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


cc = load("cc", "_internal/conditional_calibration.py")
mart = load("mart", "martingales.py")


def stream(seed, m, share, burst):
    """p-values of a calibration of 200: nulls on its grid, others small; the second half of them in a burst."""
    rng = np.random.default_rng(seed)
    null = rng.integers(1, 202, m) / 201
    other = np.ceil(201 * rng.beta(0.08, 4, m)) / 201
    is_other = rng.uniform(size=m) < share
    if burst:
        is_other[m // 2 : m // 2 + m // 4] = True
    return np.maximum(1 / 201, np.where(is_other, other, null)).tolist()


streams = {
    "null": stream(1, 200, 0.0, False),
    "mixed": stream(2, 200, 0.3, False),
    "burst": stream(3, 200, 0.05, True),
    "continuous": np.random.default_rng(4).beta(0.3, 1, 100).tolist(),
    "one": [0.001],
    "zeros": [0.0] * 12,
    "ones": [1.0] * 12,
}

alpha = 0.1
makers = {
    "lond": lambda: Lond(alpha),
    "lond-dep": lambda: Lond(alpha, dependent=True),
    "lord++": lambda: LordPlusPlus(alpha, alpha / 10),
    "lord-dep": lambda: LordDependent(alpha, alpha / 10, alpha * 0.9),
    "saffron": lambda: Saffron(alpha, alpha / 2, 0.5),
    "addis": lambda: Addis(alpha, alpha / 2, 0.25, 0.5),
}
online = []
for name, p in streams.items():
    for procedure, make in makers.items():
        test = make()
        levels, rejected = [], []
        for v in p:
            rejected.append(bool(test.test_one(v)))
            levels.append(test.last_test_level)
        online.append({"procedure": procedure, "stream": name, "by": "online-fdr", "levels": levels, "reject": rejected})

r_code = r"""
suppressMessages({library(Rcpp); library(jsonlite)})
args <- commandArgs(TRUE)
dir <- args[1]; alpha <- 0.1
for (f in c("lond", "lord", "saffron", "addis")) sourceCpp(file.path(dir, "src", paste0(f, ".cpp")))
for (f in c("checkPval", "checkdf", "LOND", "LORD", "SAFFRON", "ADDIS", "StoreyBH")) source(file.path(dir, "R", paste0(f, ".R")))
streams <- fromJSON(args[2], simplifyVector = FALSE)
out <- list(online = list(), storey = list())
for (name in names(streams)) {
  p <- as.numeric(unlist(streams[[name]]))
  n <- seq_along(p)
  xi <- 0.139307 / 0.9 / (n * log(pmax(n, 2))^3) # scaled to the theorem's bound for b0 = 0.9 alpha, as online-fdr does
  runs <- list("lond" = LOND(p, alpha), "lond-dep" = LOND(p, alpha, dep = TRUE))
  if (length(p) > 1) runs <- c(runs, list("lord++" = LORD(p, alpha, version = "++"), "lord-dep" = LORD(p, alpha, version = "dep", gammai = xi),
    "saffron" = SAFFRON(p, alpha), "addis" = ADDIS(p, alpha)))
  for (r in names(runs)) out$online[[length(out$online) + 1]] <- list(procedure = r, stream = name, by = "onlineFDR",
    levels = runs[[r]]$alphai, reject = as.logical(runs[[r]]$R))
  for (lambda in c(0.3, 0.5)) out$storey[[length(out$storey) + 1]] <- list(stream = name, lambda = lambda, alpha = alpha, by = "onlineFDR",
    reject = as.logical(StoreyBH(p, alpha, lambda)$R))
}
write_json(out, args[3], auto_unbox = FALSE, digits = NA)
"""
with tempfile.TemporaryDirectory() as d:
    with open(f"{d}/run.R", "w") as f:
        f.write(r_code)
    with open(f"{d}/streams.json", "w") as f:
        json.dump(streams, f)
    subprocess.run(["Rscript", f"{d}/run.R", onlinefdr, f"{d}/streams.json", f"{d}/out.json"], check=True)
    with open(f"{d}/out.json") as f:
        from_r = json.load(f)
one = lambda v: v[0]
for r in from_r["online"]:
    online.append({"procedure": one(r["procedure"]), "stream": one(r["stream"]), "by": one(r["by"]), "levels": r["levels"], "reject": r["reject"]})
batch = []
for r in from_r["storey"]:
    batch.append({"procedure": "storey", "stream": one(r["stream"]), "alpha": one(r["alpha"]), "lambda": one(r["lambda"]), "by": one(r["by"]), "reject": r["reject"]})
for name, p in streams.items():
    for a in (0.05, 0.1):
        for method in ("bh", "by"):
            adjusted = stats.false_discovery_control(p, method=method)
            batch.append({"procedure": method, "stream": name, "alpha": a, "lambda": 0, "by": "scipy", "reject": (adjusted <= a).tolist()})
        for method, run in (("bh", of_bh), ("by", of_by)):
            k, threshold = run(list(p), a)
            reject = [bool(k and v <= sorted(p)[k - 1]) for v in p]
            batch.append({"procedure": method, "stream": name, "alpha": a, "lambda": 0, "by": "online-fdr", "reject": reject})

levels, off = [], {}
for n in (17, 18, 100, 301):
    for delta in (0.05, 0.2):
        exact = (np.arange(n + 1) + 1) / (n + 1)
        # (n+1)(1-p) is whole but for rounding, and floor then takes the whole below it. A p a little lower asks for what is meant.
        meant = exact - 1e-9
        for name, method in (("simes", "simes"), ("dkw", "dkwm"), ("asymptotic", "asymptotic")):
            b, _ = cc.calibrate_conditional_p_values(meant if name != "dkw" else exact, n_calibration=n, delta=delta, method=method)
            plain, _ = cc.calibrate_conditional_p_values(exact, n_calibration=n, delta=delta, method=method)
            off[f"{name} n={n} delta={delta}"] = int(np.sum(~np.isclose(b, plain, atol=1e-12)))
            levels.append({"adjustment": name, "n": n, "delta": delta, "by": "nonconform", "levels": b.tolist()})
        i = np.arange(1, n + 1)
        levels.append({"adjustment": "pointwise", "n": n, "delta": delta, "by": "scipy", "levels": stats.beta.ppf(1 - delta, i, n + 1 - i).tolist() + [1.0]})
print("p-values that nonconform places one too high by rounding:", off)

quantiles = [
    {"q": q, "a": a, "b": b, "x": stats.beta.ppf(q, a, b)}
    for q in (0.001, 0.05, 0.5, 0.9, 0.99, 0.99999)
    for a, b in ((1, 19), (1, 100000), (125, 2376), (2500, 47501), (50, 1), (1, 1))
]

martingales = []
for name, p in streams.items():
    p = [max(v, 1e-9) for v in p]
    for betting, m in (("jumper", mart.SimpleJumperMartingale(jump=0.01)), ("power", mart.SimpleMixtureMartingale(n_grid=100, min_epsilon=0.01))):
        martingales.append({"betting": betting, "stream": name, "log": [float(m.update(v).log_martingale) for v in p]})


def rounded(v):
    if isinstance(v, float):
        return v if v == 0 or math.isinf(v) else float(f"{v:.11g}")
    if isinstance(v, list):
        return [rounded(x) for x in v]
    if isinstance(v, dict):
        return {k: rounded(x) for k, x in v.items()}
    return v


out = {k: rounded(v) for k, v in {"online": online, "batch": batch, "levels": levels, "beta": quantiles, "martingales": martingales}.items()}
out["streams"] = streams  # exactly
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
