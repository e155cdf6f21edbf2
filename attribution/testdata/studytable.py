"""Join the tables of `goline attribute compare`, folder by folder of the same games, into Markdown: error, coverage and seconds by budget.

    python studytable.py [--coverage] OUT/cifar10-features-log-sum-exp.*
"""
import csv
import json
import os
import sys


def number(text):
    return float(text) if text else float("nan")


def main():
    coverage = "--coverage" in sys.argv
    rows, budgets, games = {}, [], None
    for folder in (a for a in sys.argv[1:] if not a.startswith("--")):
        if not os.path.exists(os.path.join(folder, "cells.csv")):
            continue
        with open(os.path.join(folder, "comparison.json")) as f:
            found = json.load(f)
        size = sum(t["mean_square"] for t in found["truth"]) / len(found["truth"])
        noise = sum(t["mean_squared_std_err"] or 0 for t in found["truth"]) / len(found["truth"])
        games = "%d games, truth known to %.2g %%" % (len(found["truth"]), 100 * (noise / size) ** 0.5)
        with open(os.path.join(folder, "cells.csv")) as f:
            for cell in csv.DictReader(f):
                budget = number(cell["budget"])
                if budget not in budgets:
                    budgets.append(budget)
                if int(cell["runs"]) == 0:
                    continue
                error = 100 * (number(cell["mse"]) / size) ** 0.5
                share = number(cell["coverage"])
                rows.setdefault(cell["estimator"], {})[budget] = (error, 100 * share if share == share else None, number(cell["seconds"]))
    budgets.sort()
    print(games)
    print("| estimator | " + " | ".join("%g" % b for b in budgets) + " | seconds |")
    print("|---|" + "--:|" * (len(budgets) + 1))
    for name, cells in rows.items():
        line = []
        for b in budgets:
            error, covered, _ = cells.get(b, (None, None, None))
            what = covered if coverage else error
            line.append("–" if what is None else "%.3g" % what)
        print("| %s | %s | %.2g |" % (name, " | ".join(line), cells[max(cells)][2]))


if __name__ == "__main__":
    main()
