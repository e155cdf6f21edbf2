"""cuda_torch.py NET [f32|tf32] [DEVICE]: prints the images per second of PyTorch for .ci/cuda-card to compare with: densenet-bc-100-12 on
3×32×32 or resnet50 on 3×224×224, in float32 without TF32 or with it, at batch 64, from pinned memory."""
import sys
import time

import torch
from torch import nn


class Layer(nn.Sequential):
    """A layer of DenseNet-BC (Huang et al., CVPR 2017): a bottleneck of 4·growth channels, then a 3×3 convolution."""

    def __init__(self, channels, growth):
        super().__init__(
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 4 * growth, 1, bias=False),
            nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False))

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


def densenet_bc(depth=100, growth=12, classes=10):
    channels = 2 * growth
    parts = [nn.Conv2d(3, channels, 3, padding=1, bias=False)]
    for block in range(3):
        for _ in range((depth - 4) // 6):
            parts.append(Layer(channels, growth))
            channels += growth
        parts += [nn.BatchNorm2d(channels), nn.ReLU()]
        if block < 2:
            parts += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def resnet50():
    import torchvision

    return torchvision.models.resnet50()


nets = {"densenet-bc-100-12": (densenet_bc, 32), "resnet50": (resnet50, 224)}
name, options = sys.argv[1], sys.argv[2:]
tf32 = "tf32" in options
device = next((o for o in options if o not in ("f32", "tf32")), "cuda")
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
build, side = nets[name]
net = build().to(device).eval()
x = torch.randn(64, 3, side, side)
if device == "cuda":
    x = x.pin_memory()


def run(batches):
    start = time.perf_counter()
    for _ in range(batches):
        net(x.to(device, non_blocking=True)).cpu()  # waits for the result
    return 64 * batches / (time.perf_counter() - start)


with torch.inference_mode():
    few = device != "cuda"
    run(1 if few else 10)
    speed = sorted(run(1 if few else 20) for _ in range(5))[2]
    card = torch.cuda.get_device_name() if device == "cuda" else device
    print(f"images/s        {speed:.1f} (torch {torch.__version__}, {name}, {'tf32' if tf32 else 'f32'}, {card})")
