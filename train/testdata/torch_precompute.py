"""Prints how many images a second the contributions of LINe take in PyTorch one image at a time, as its authors compute them:
forward, backward of the label's logit, activation times gradient. The peer of goline fit.

Usage: python3 torch_precompute.py [THREADS] [IMAGES]
"""
import sys
import time

import torch

from torch_reference import DenseNet

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
images = int(sys.argv[2]) if len(sys.argv) > 2 else 150
net = DenseNet(100, 12).eval()
kept = []


def keep(_, inputs):
    inputs[0].retain_grad()
    kept[:] = inputs


net.fc.register_forward_pre_hook(keep)
x = torch.randn(images, 3, 32, 32)


def contributions(i):
    net.zero_grad()
    net(x[i:i + 1])[0, i % 10].backward()
    return kept[0] * kept[0].grad


for i in range(10):
    contributions(i)
start = time.perf_counter()
for i in range(images):
    contributions(i)
print(f"{images / (time.perf_counter() - start):.1f} images/s")
