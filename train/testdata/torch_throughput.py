"""Prints how many images a second PyTorch trains a small residual network on: the peer of BenchmarkStep.

Usage: python3 torch_throughput.py [THREADS] [SECONDS] [SET-UP,…]

Set-ups are eager, channels-last, compiled and compiled-channels-last; all by default, where PyTorch is 2.0 or later
(torch.compile needs a C++ compiler), else the first two. One line for each.
"""
import sys
import time

import torch
import torch.nn.functional as F

from torch_reference import SmallResNet

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
usual = ["eager", "channels-last"] + ["compiled", "compiled-channels-last"] * hasattr(torch, "compile")
setups = sys.argv[3].split(",") if len(sys.argv) > 3 else usual
torch.set_num_threads(threads)


def measure(setup):
    torch.manual_seed(1)
    net = SmallResNet(8, 16)
    x, y = torch.randn(128, 3, 32, 32), torch.arange(128) % 10
    if setup.endswith("channels-last"):
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    model = torch.compile(net) if setup.startswith("compiled") else net
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step():
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()

    for _ in range(5):
        step()
    start, cpu, steps = time.time(), time.process_time(), 0
    while time.time() - start < seconds:
        step()
        steps += 1
    images = 128 * steps
    print("PyTorch %s, %s, %d threads: %.1f images/s, %.1f images per CPU second" % (
        torch.__version__, setup, threads, images / (time.time() - start), images / (time.process_time() - cpu)), flush=True)


for setup in setups:
    measure(setup)
