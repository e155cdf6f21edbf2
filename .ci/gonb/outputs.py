"""Compares the outputs of a notebook that has just run with those that it is committed with, or keeps them with --write.

outputs.py COMMITTED RUN [--write]

Numbers and pictures may differ, from one processor to another for example: it fails where a cell has an error, or where its
outputs are of other kinds than before, so that no figure, table or picture can be lost without being seen.
"""
import json
import re
import sys


def kinds(cell):
    """The kinds of a cell's outputs, in order, with the number of pictures in HTML."""
    out = []
    for o in cell.get("outputs", []):
        if o["output_type"] == "stream":
            out.append(o["name"])
        elif o["output_type"] == "error":
            out.append("error: " + o["evalue"])
        else:
            data = o["data"]
            kind = "+".join(sorted(data))
            html = "".join(data.get("text/html", ""))
            if html:
                kind += " of %d pictures and %d tables" % (html.count("<img"), len(re.findall("<table", html)))
            out.append(kind)
    return out


def clean(notebook):
    """Leaves out of a run what says nothing of its result: times of execution, and the kernel's messages."""
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
    return notebook


def main():
    committed, run = sys.argv[1:3]
    with open(committed, encoding="utf-8") as f:
        old = json.load(f)
    with open(run, encoding="utf-8") as f:
        new = clean(json.load(f))
    wrong = []
    for i, cell in enumerate(new["cells"]):
        got = kinds(cell)
        wrong += [f"cell {i}: {k}" for k in got if k.startswith("error")]
        if "--write" not in sys.argv and got != kinds(old["cells"][i]):
            wrong.append(f"cell {i}: expected outputs {kinds(old['cells'][i])}, got {got}")
    if not any("image/png" in k for c in new["cells"] for k in kinds(c)) and not any("<img" in "".join(o.get("data", {}).get("text/html", "")) for c in new["cells"] for o in c.get("outputs", [])):
        wrong.append("no cell shows a figure or a picture")
    for w in wrong:
        print(f"{committed}: {w}", file=sys.stderr)
    if wrong:
        return 1
    if "--write" in sys.argv:
        for cell, before in zip(new["cells"], old["cells"]):
            cell["id"] = before["id"]
        new["metadata"] = old["metadata"]
        with open(committed, "w", encoding="utf-8") as f:
            json.dump(new, f, indent=1, ensure_ascii=False)
            f.write("\n")
    return 0


sys.exit(main())
