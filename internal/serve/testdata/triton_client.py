"""Asks a server of the Open Inference protocol with Triton's own HTTP client: address, model, picture file, .npy of two inputs."""
import json
import sys

import numpy as np
import tritonclient.http as triton

address, model, picture, tensor = sys.argv[1:]
client = triton.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
metadata = client.get_model_metadata(model)
assert client.is_model_ready(model, metadata["versions"][0])

out = {"outputs": [o["name"] for o in metadata["outputs"]], "tensor": []}
one = triton.InferInput("picture", [1], "BYTES")
with open(picture, "rb") as f:
    one.set_data_from_numpy(np.array([f.read()], dtype=object))
answer = client.infer(model, [one])
out["picture"] = {name: answer.as_numpy(name).tolist() for name in ("score", "prediction", "ood", "p_value")}

x = np.load(tensor)
for binary in (True, False):
    for compression in (None, "gzip", "deflate"):
        two = triton.InferInput("input", list(x.shape), "FP32")
        two.set_data_from_numpy(x, binary_data=binary)
        wanted = [triton.InferRequestedOutput(n, binary_data=binary) for n in ("score", "neurons", "contributions")]
        answer = client.infer(model, [two], outputs=wanted, request_id="r7", request_compression_algorithm=compression, timeout=5_000_000)
        assert answer.get_response()["id"] == "r7"
        assert answer.as_numpy("neurons").shape == (2, 10) and answer.as_numpy("contributions").dtype == np.float32
        out["tensor"].append(answer.as_numpy("score").tolist())
try:
    client.infer(model, [triton.InferInput("input", [1], "FP32").set_data_from_numpy(np.zeros(1, np.float32))])
except triton.InferenceServerException as e:
    out["refused"] = e.message()
print(json.dumps(out))
