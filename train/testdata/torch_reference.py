"""Writes torch_reference.npz: twenty training steps of small networks in PyTorch, from weights and batches by formula.

Run with Debian's python3-torch: python3 torch_reference.py
"""
import json
import math
import os
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

STEPS, BATCH, CLASSES, SIDE = 20, 16, 10, 32


class Residual(nn.Module):
    def __init__(self, inp, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inp, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if inp != out:
            self.downsample = nn.Sequential(nn.Conv2d(inp, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class SmallResNet(nn.Module):
    def __init__(self, depth, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        inp = width
        for stage in range(3):
            blocks = []
            for i in range((depth - 2) // 6):
                blocks.append(Residual(inp, width << stage, 2 if stage and not i else 1))
                inp = width << stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inp, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class Wide(nn.Module):
    def __init__(self, inp, out, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inp), nn.Conv2d(inp, out, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(out), nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.convShortcut = nn.Conv2d(inp, out, 1, stride, bias=False) if inp != out else None

    def forward(self, x):
        pre = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(pre))))
        return y + (x if self.convShortcut is None else self.convShortcut(pre))


class Holder(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layer = nn.Sequential(*layers)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth, widen):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        inp = 16
        for group in range(3):
            layers = []
            for i in range((depth - 4) // 6):
                layers.append(Wide(inp, 16 * widen << group, 2 if group and not i else 1))
                inp = 16 * widen << group
            setattr(self, f"block{group + 1}", Holder(layers))
        self.bn1, self.fc = nn.BatchNorm2d(inp), nn.Linear(inp, CLASSES)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class Dense(nn.Module):
    def __init__(self, inp, growth):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inp), nn.Conv2d(inp, 4 * growth, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)

    def forward(self, x):
        y = self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))
        return torch.cat([x, y], 1)


class Transition(nn.Module):
    def __init__(self, inp, out):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inp), nn.Conv2d(inp, out, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, depth, growth):
        super().__init__()
        c = 2 * growth
        self.conv1 = nn.Conv2d(3, c, 3, 1, 1, bias=False)
        for block in range(3):
            layers = []
            for _ in range((depth - 4) // 6):
                layers.append(Dense(c, growth))
                c += growth
            setattr(self, f"block{block + 1}", Holder(layers))
            if block < 2:
                setattr(self, f"trans{block + 1}", Transition(c, c // 2))
                c //= 2
        self.bn1, self.fc = nn.BatchNorm2d(c), nn.Linear(c, CLASSES)

    def forward(self, x):
        x = self.trans1(self.block1(self.conv1(x)))
        x = self.block3(self.trans2(self.block2(x)))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


def noise(i):
    """Numbers between -1 and 1 that look random."""
    v = 43758.5453 * np.sin(12.9898 * i + 0.5)
    return 2 * (v - np.floor(v)) - 1


def by_formula(net):
    """Fills a network with values that follow from each parameter's name."""
    for name, p in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        u = noise(np.arange(p.numel()) + zlib.crc32(name.encode()) % 1000)
        if name.endswith("running_mean"):
            v = 0.1 * u
        elif name.endswith("running_var"):
            v = 1 + 0.5 * u * u
        elif name.endswith("bias"):
            v = 0.05 * u
        elif p.dim() == 1:
            v = 1 + 0.1 * u
        else:
            v = math.sqrt(2 / (p.numel() // p.shape[0])) * math.sqrt(3) * u
        p.copy_(torch.tensor(v.astype(np.float32).reshape(p.shape)))


def batch(step):
    """Images [BATCH, 3, SIDE, SIDE] and labels that follow from the step: the class is the frequency of a wave."""
    labels = (np.arange(BATCH) * 7 + step * 3) % CLASSES
    at = np.arange(3 * SIDE * SIDE)
    n = np.arange(BATCH)[:, None]
    x = np.sin(0.05 * (labels[:, None] + 1) * at + n + step) + 0.5 * noise(at + 3100 * n + 17 * step)
    return torch.tensor(x.astype(np.float32).reshape(BATCH, 3, SIDE, SIDE)), torch.tensor(labels)


# Each run is one that PyTorch repeats to 1e-5 with other numbers of threads, without mkldnn, and in double precision: where a
# pre-activation comes within rounding of a ReLU's kink, losses part by 1e-4 whoever computes them.
RUNS = [
    {"net": "resnet-cifar-8-4", "make": lambda: SmallResNet(8, 4), "optimizer": "sgd", "momentum": 0.9, "nesterov": True,
     "weight_decay": 5e-4, "lr": 0.05, "smoothing": 0.0, "clip": 0.0, "schedule": "constant"},
    {"net": "resnet-cifar-8-4", "make": lambda: SmallResNet(8, 4), "optimizer": "adamw", "momentum": 0.0, "nesterov": False,
     "weight_decay": 0.05, "lr": 2e-3, "smoothing": 0.1, "clip": 1.0, "schedule": "onecycle"},
    {"net": "wrn-10-1", "make": lambda: WideResNet(10, 1), "optimizer": "sgd", "momentum": 0.9, "nesterov": False,
     "weight_decay": 1e-3, "lr": 0.01, "smoothing": 0.0, "clip": 0.0, "schedule": "cosine"},
    {"net": "densenet-bc-10-4", "make": lambda: DenseNet(10, 4), "optimizer": "sgd", "momentum": 0.9, "nesterov": True,
     "weight_decay": 1e-4, "lr": 0.05, "smoothing": 0.1, "clip": 0.5, "schedule": "step"},
]


def train(run):
    torch.manual_seed(0)
    net = run["make"]()
    with torch.no_grad():
        by_formula(net)
    net.train()
    if run["optimizer"] == "adamw":
        opt = torch.optim.AdamW(net.parameters(), lr=run["lr"], weight_decay=run["weight_decay"])
    else:
        opt = torch.optim.SGD(net.parameters(), lr=run["lr"], momentum=run["momentum"], nesterov=run["nesterov"],
                              weight_decay=run["weight_decay"])
    sched = {
        "constant": lambda: torch.optim.lr_scheduler.LambdaLR(opt, lambda s: 1.0),
        "onecycle": lambda: torch.optim.lr_scheduler.OneCycleLR(opt, run["lr"], total_steps=STEPS, pct_start=0.25, cycle_momentum=False),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(opt, STEPS),
        "step": lambda: torch.optim.lr_scheduler.StepLR(opt, 8, 0.1),
    }[run["schedule"]]()
    losses, rates = [], []
    for step in range(STEPS):
        x, y = batch(step)
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y, label_smoothing=run["smoothing"])
        loss.backward()
        if run["clip"]:
            torch.nn.utils.clip_grad_norm_(net.parameters(), run["clip"])
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        sched.step()
        losses.append(loss.item())
    state = {k: v.numpy() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    net.eval()
    with torch.no_grad():
        logits = net(batch(STEPS)[0]).numpy()
    return losses, rates, state, logits


def main():
    out = {}
    for i, run in enumerate(RUNS):
        losses, rates, state, logits = train(run)
        print(run["net"], run["optimizer"], [round(v, 4) for v in losses])
        out[f"{i}/settings"] = np.array(json.dumps({k: v for k, v in run.items() if k != "make"}))
        out[f"{i}/losses"] = np.array(losses)
        out[f"{i}/rates"] = np.array(rates)
        out[f"{i}/logits"] = logits
        for k, v in state.items():
            if k.endswith(("running_mean", "running_var")) or run["net"] == "resnet-cifar-8-4":
                out[f"{i}/state/{k}"] = v
    np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_reference.npz"), **out)


if __name__ == "__main__":
    main()
