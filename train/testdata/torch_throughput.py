"""Prints how many images a second PyTorch trains a small residual network on: the peer of BenchmarkStep.

Usage: python3 torch_throughput.py [THREADS] [SECONDS]
"""
import sys
import time

import torch
import torch.nn.functional as F

from torch_reference import SmallResNet

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
net = SmallResNet(8, 16)
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
x, y = torch.randn(128, 3, 32, 32), torch.arange(128) % 10


def step():
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()


for _ in range(3):
    step()
start, cpu, steps = time.time(), time.process_time(), 0
while time.time() - start < seconds:
    step()
    steps += 1
print("%.1f images/s, %.1f images per CPU second" % (128 * steps / (time.time() - start), 128 * steps / (time.process_time() - cpu)))
