#!/usr/bin/env python3
"""Milliseconds that one image takes in an ONNX classifier, one after the other, in OpenVINO with its latency hint and
in ONNX Runtime: what to put beside `goline bench --latency`.

  python3 -m venv v && v/bin/pip install numpy onnx onnxruntime openvino
  v/bin/python nets/testdata/onnx_latency.py FILE.onnx [threads] [seconds]

One line for each set-up with the median, the 99th percentile and how many images were timed. OpenVINO runs in float32
and, where the processor multiplies bfloat16, in that too.
"""
import sys
import time

import numpy as np
import onnx
import onnxruntime
import openvino

path = sys.argv[1]
threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 5.0

graph = onnx.load(path).graph
weights = {i.name for i in graph.initializer}
entry = next(i for i in graph.input if i.name not in weights)
shape = [1] + [d.dim_value for d in entry.type.tensor_type.shape.dim][1:]
image = np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def report(name, infer):
    for _ in range(20):
        infer()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        infer()
        times.append(time.perf_counter() - start)
    p50, p99 = 1e3 * np.percentile(times, [50, 99])
    print(f"{name:16} p50 {p50:.3f} ms  p99 {p99:.3f} ms  ({len(times)} images)", flush=True)


core = openvino.Core()
capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
for precision in ["f32"] + (["bf16"] if "BF16" in capabilities else []):
    model = core.read_model(path)
    model.reshape(shape)
    request = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads,
    }).create_infer_request()
    request.set_input_tensor(openvino.Tensor(image))
    report(f"openvino {precision}", request.infer)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
report("onnxruntime f32", lambda: session.run(None, {entry.name: image}))
