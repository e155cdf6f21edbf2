"""Writes the checkpoints of this folder with PyTorch 1.13, legacy_* with 2.15. Element i of the tensor "conv.weight" (2, 3, 2, 2) is
i / 4 - 3, of "bn.running_mean" (2,) it is i + 0.5, and "bn.num_batches_tracked" is 7: exact in every type used.
"""
import argparse
import collections
import os

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))


def weight(dtype=torch.float32):
    return (torch.arange(24, dtype=torch.float32) / 4 - 3).reshape(2, 3, 2, 2).to(dtype)


def state(dtype=torch.float32, prefix=""):
    return collections.OrderedDict(
        [
            (prefix + "conv.weight", weight(dtype)),
            (prefix + "bn.running_mean", torch.tensor([0.5, 1.5], dtype=dtype)),
            (prefix + "bn.num_batches_tracked", torch.tensor(7)),
        ]
    )


def save(name, value, **kwargs):
    torch.save(value, os.path.join(here, name), **kwargs)


save("plain.pth", state())
save("dict.pth", dict(state()))
save("protocol4.pth", state(), pickle_protocol=4)
save("module_prefix.pth", state(prefix="module."))
save("compiled_prefix.pth", {"model": state(prefix="module._orig_mod.")})
save("half.pth", state(torch.float16))
save("bfloat16.pth", state(torch.bfloat16))
save("double.pth", state(torch.float64))
save("legacy.pth", state(), _use_new_zipfile_serialization=False)
save("legacy_nested.pth.tar", {
    "best": 91.5,
    "optimizer": {"moments": torch.ones(3, dtype=torch.complex64), "steps": [torch.tensor(1, dtype=torch.int16)]},
    "state_dict": state(prefix="module."),
}, _use_new_zipfile_serialization=False)
save("parameters.pth", collections.OrderedDict(
    (k, torch.nn.Parameter(v, requires_grad=v.is_floating_point())) for k, v in state().items()))

# What training scripts save: counters, options, an optimizer with its own tensors, averaged weights, library objects.
net = torch.nn.Linear(2, 2)
optimizer = torch.optim.Adam(net.parameters())
net(torch.ones(1, 2)).sum().backward()
optimizer.step()
save("nested.pth.tar", {
    "epoch": 100,
    "arch": "densenet",
    "best_prec1": torch.tensor(93.5),
    "args": argparse.Namespace(lr=0.1, gpu=None, milestones={30, 60}),
    "history": [np.float64(0.5), np.zeros(3, np.float32)],
    "device": torch.device("cpu"),
    "dtype": torch.float32,
    "state_dict_ema": collections.OrderedDict((k, v * 2) for k, v in state().items()),
    "optimizer": optimizer.state_dict(),
    "state_dict": state(),
})

# Views: transposed, cut out with an offset, every second element, expanded, two tensors in one storage, empty.
base = torch.arange(24, dtype=torch.float32)
views = {
    "transposed": base.reshape(4, 6).t(),
    "cut": base.reshape(4, 6)[1:3, 2:5],
    "step": base[1::2],
    "expanded": torch.tensor([1.0, 2.0]).reshape(2, 1).expand(2, 3),
    "first": base[:4],
    "scalar": base[5],
    "empty": base[:0].reshape(0, 3),
    "channels_last": weight().contiguous(memory_format=torch.channels_last),
}
save("views.pth", views)
save("legacy_views.pth", views, _use_new_zipfile_serialization=False)
save("integers.pth", {
    "int64": torch.tensor([-(2**40), 2**40]),
    "int32": torch.tensor([-2, 2**31 - 1], dtype=torch.int32),
    "int16": torch.tensor([-300, 300], dtype=torch.int16),
    "int8": torch.tensor([-128, 127], dtype=torch.int8),
    "uint8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
})

# Refused with a reason.
save("module.pth", torch.nn.Linear(2, 2))
save("module_inside.pth", {"epoch": 1, "model": torch.nn.Linear(2, 2)})
save("tensor.pth", torch.ones(2))
save("no_tensors.pth", {"epoch": 1, "name": "x"})
save("sparse.pth", {"a": torch.ones(2), "s": torch.eye(2).to_sparse()})
save("quantized.pth", {"a": torch.ones(2), "q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})
save("complex.pth", {"a": torch.ones(2), "c": torch.ones(2, dtype=torch.complex64)})
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), os.path.join(here, "torchscript.pt"))
