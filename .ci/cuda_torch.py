"""Prints the images per second of PyTorch's ResNet-50 in float32 without TF32, at batch 64, from pinned memory, for .ci/cuda-card to compare with."""
import time

import torch
import torchvision

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
net = torchvision.models.resnet50(weights=None).cuda().eval()
x = torch.randn(64, 3, 224, 224).pin_memory()


def run(batches):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(batches):
        net(x.cuda(non_blocking=True)).cpu()
    torch.cuda.synchronize()
    return 64 * batches / (time.perf_counter() - start)


with torch.inference_mode():
    run(10)
    print(f"images/s        {sorted(run(20) for _ in range(5))[2]:.1f} (torch {torch.__version__}, resnet50, {torch.cuda.get_device_name()})")
