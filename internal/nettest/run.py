"""Runs ONNX files in ONNX Runtime, a few samples at a time: python run.py SAMPLES [MODEL.onnx INPUT.npy OUTPUT.npz]...

What fails leaves its message in OUTPUT.npz.txt instead of results.
"""
import sys
import traceback

import numpy as np
import onnx
import onnxruntime as ort


def run(model, source, target, samples):
    onnx.checker.check_model(onnx.load(model), full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = np.load(source)
    given = session.get_inputs()[0]
    assert given.shape[0] == "batch", given.shape
    outputs = session.get_outputs()
    names = [o.name for o in outputs]
    parts = [session.run(names, {given.name: x[i : i + samples]}) for i in range(0, len(x), samples)]
    for o, y in zip(outputs, parts[0]):
        assert list(y.shape[1:]) == o.shape[1:], (o.name, y.shape, o.shape)
    np.savez(target, **{n: np.concatenate([p[i] for p in parts]) for i, n in enumerate(names)})


for model, source, target in zip(*[iter(sys.argv[2:])] * 3):
    try:
        run(model, source, target, int(sys.argv[1]))
    except Exception:
        with open(target + ".txt", "w") as f:
            f.write(traceback.format_exc())
