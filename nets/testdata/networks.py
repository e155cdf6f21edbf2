"""Writes networks.json.gz beside it with PyTorch 2.15 and torchvision 0.29: what TestNetworksMatchPyTorch compares with.

For each network: the names and shapes of its state dict, without num_batches_tracked, in order; and of one image of 64×64 (32×32
where the network is for such) sixteen features and sixteen logits at equal distances from the first, computed in float64, with
the largest absolute value of all. Weights and image are made by formula, as fillByFormula and inputByFormula of the test do.
"""
import gzip
import json
import math
import os
import zlib

import numpy as np
import torch
import torchvision

here = os.path.dirname(os.path.abspath(__file__))
names = """resnet18 resnet34 resnet50 resnet101 resnet152 wide_resnet50_2 resnext50_32x4d densenet121 densenet161 densenet169
densenet201 vgg16_bn mobilenet_v2 mobilenet_v3_small mobilenet_v3_large efficientnet_b0 convnext_tiny vit_b_16 swin_t""".split()


def formula(name, shape):
    u = np.sin(0.618 * np.arange(math.prod(shape), dtype=np.float64) + zlib.crc32(name.encode()) % 1000).reshape(shape)
    if name.endswith("running_mean"):
        u = 0.1 * u
    elif name.endswith("running_var"):
        u = 1 + 0.5 * u * u
    elif name.endswith("bias"):
        u = 0.05 * u
    elif len(shape) == 1:
        u = 1 + 0.1 * u
    else:
        u = u * (math.sqrt(2 / math.prod(shape[1:])) * math.sqrt(2))
    return torch.from_numpy(u.astype(np.float32))


def head(net):
    """The last linear layer."""
    return [m for m in net.modules() if isinstance(m, torch.nn.Linear)][-1]


class Shortcut(torch.nn.Module):
    """Every second row and column, with channels of zeros on both sides."""

    def __init__(self, pad):
        super().__init__()
        self.pad = pad

    def forward(self, x):
        return torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))


def option_a(depth):
    """The CIFAR network of He et al. with shortcuts of option A, out of torchvision's parts."""
    blocks = [(depth - 2) // 6] * 3
    net = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, blocks + [1])
    planes = 16
    net.conv1 = torch.nn.Conv2d(3, planes, 3, padding=1, bias=False)
    net.bn1 = torch.nn.BatchNorm2d(planes)
    net.maxpool, net.layer4 = torch.nn.Identity(), torch.nn.Identity()
    for stage in range(3):
        layers = []
        for i in range(blocks[stage]):
            out = 16 << stage
            down = Shortcut((out - planes) // 2) if out != planes else None
            layers.append(torchvision.models.resnet.BasicBlock(planes, out, 1 + (out != planes), down))
            planes = out
        setattr(net, f"layer{stage + 1}", torch.nn.Sequential(*layers))
    net.fc = torch.nn.Linear(planes, 1000)
    return net, lambda name: name.replace("fc.", "linear.")


def open_ood():
    """ResNet-18 for 32×32 as OpenOOD has it, out of torchvision's."""
    net = torchvision.models.resnet18()
    net.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = torch.nn.Identity()
    return net, lambda name: name.replace("downsample", "shortcut")


def golden(net, size, rename=lambda name: name):
    net = net.double().eval()
    params = []
    for name, value in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        params.append(" ".join([rename(name), *map(str, value.shape)]))
        if not name.endswith("relative_position_index"):
            value.copy_(formula(rename(name), tuple(value.shape)))
    seen = []
    head(net).register_forward_hook(lambda _, inputs, output: seen.extend([inputs[0], output]))
    x = torch.from_numpy((1.5 * np.sin(0.37 * np.arange(3 * size * size))).astype(np.float32)).double()
    with torch.no_grad():
        net(x.reshape(1, 3, size, size))
    out = {"params": params, "size": size}
    for what, value in zip(["features", "logits"], seen):
        v = value.flatten().numpy()
        out[what] = {"values": v[:: len(v) // 16][:16].tolist(), "largest": float(np.abs(v).max()), "length": len(v)}
    return out


results = {}
for depth in [20, 32, 44, 56, 110]:
    net, rename = option_a(depth)
    results[f"resnet{depth}"] = golden(net, 32, rename)
net, rename = open_ood()
results["resnet18-openood"] = golden(net, 32, rename)
for name in names:
    options = {"image_size": 64} if name.startswith("vit") else {}
    results[name] = golden(getattr(torchvision.models, name)(**options), 64)
    print(name, flush=True)
with open(os.path.join(here, "networks.json.gz"), "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as f:
    f.write(json.dumps(results).encode())
