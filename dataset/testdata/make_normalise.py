#!/usr/bin/env python3
"""Writes normalise.npy: float32 (2, 3, 256), what torchvision's ToTensor and Normalize make of every sample value, with
the constants of CIFAR and of ImageNet. Both transforms are written out as torchvision defines them (needs torch)."""
import pathlib

import numpy as np
import torch

SETTINGS = [((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]

out = []
for mean, std in SETTINGS:
    x = torch.arange(256, dtype=torch.uint8).repeat(3, 1, 1).to(torch.float32).div(255)
    mean, std = (torch.as_tensor(v, dtype=torch.float32).view(-1, 1, 1) for v in (mean, std))
    out.append(x.sub_(mean).div_(std)[:, 0].numpy())
np.save(pathlib.Path(__file__).parent / "normalise.npy", np.stack(out))
