"""MNIST as whole tensors, from the four committed files; no network is needed."""

import gzip
import sys
import zlib

import numpy as np
import torch

from common import HERE

# torchvision.datasets.MNIST was tried. It extracts the files at first use: when two processes do so
# at once, one load in six breaks; and a damaged file sends it to the network, or stays damaged.
RAW = HERE / "data" / "MNIST" / "raw"  # where the four files are


def read_file(name, shape):
    """Return the pixels or labels in RAW/name, as a uint8 tensor of this shape."""
    path = RAW / name
    try:
        content = gzip.decompress(path.read_bytes())  # gzip has a checksum
        header = 4 + 4 * len(shape)  # bytes
        array = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        sys.exit(f"{path}: not the original file of MNIST ({error})")
    return torch.tensor(array)


def load_mnist(train=True, device="cpu"):
    """Return a split's images (N, 1, 28, 28), float32 in [-1, 1], and labels (N,), on device."""
    split, n = ("train", 60_000) if train else ("t10k", 10_000)
    images = read_file(f"{split}-images-idx3-ubyte.gz", (n, 28, 28))
    labels = read_file(f"{split}-labels-idx1-ubyte.gz", (n,))
    images = images.to(device).unsqueeze(1).float().div_(127.5).sub_(1)
    return images, labels.long().to(device)
