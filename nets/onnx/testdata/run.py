"""Runs an ONNX file in ONNX Runtime: python run.py MODEL.onnx INPUT.npy OUTPUT.npz"""
import sys

import numpy as np
import onnx
import onnxruntime as ort

model, source, target = sys.argv[1:]
onnx.checker.check_model(onnx.load(model), full_check=True)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
x = np.load(source)
assert session.get_inputs()[0].shape[0] == "batch", session.get_inputs()[0].shape
names = [o.name for o in session.get_outputs()]
parts = [session.run(names, {session.get_inputs()[0].name: x[i : i + 5]}) for i in range(0, len(x), 5)]
np.savez(target, **{n: np.concatenate([p[i] for p in parts]) for i, n in enumerate(names)})
