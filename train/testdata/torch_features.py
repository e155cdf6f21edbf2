"""Prints how many images a second PyTorch's DenseNet-BC-100-12 takes on this processor, for several ways to run it, and the
best of them: the peer of goline features.

Usage: python3 torch_features.py [THREADS] [IMAGES]
"""
import sys
import time

import torch

from torch_reference import DenseNet

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
images = int(sys.argv[2]) if len(sys.argv) > 2 else 300
net = DenseNet(100, 12).eval()
x = torch.randn(images, 3, 32, 32)
best = 0


def measure(name, model, x, batch):
    global best
    with torch.no_grad():
        for _ in range(3):  # TorchScript optimises in its first runs
            model(x[:batch])
        start = time.perf_counter()
        for i in range(0, images, batch):
            model(x[i:i + batch])
        rate = images / (time.perf_counter() - start)
    best = max(best, rate)
    print(f"{name}, batch {batch}: {rate:.1f} images/s", flush=True)


for batch in 10, 25, 50, 100:
    measure("eager", net, x, batch)
last, xl = DenseNet(100, 12).eval().to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
for batch in 10, 25, 50:
    measure("channels last", last, xl, batch)
for batch in 10, 25, 50:
    script = torch.jit.freeze(torch.jit.trace(net, x[:batch]))
    measure("frozen TorchScript", script, x, batch)
print(f"best {best:.1f}")
