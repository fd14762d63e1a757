"""MNIST as whole tensors, from the four committed files; no network is needed."""

import gzip
import hashlib
import sys

import numpy as np
import torch
from torchvision.datasets import MNIST

from common import HERE

# The class MNIST itself was tried. It extracts the files at first use: when two processes do so at
# once, one load in six breaks; and a damaged file sends it to the network, or stays damaged.
RAW = HERE / "data" / "MNIST" / "raw"  # where the four files are
MD5 = dict(MNIST.resources)  # {file name: its MD5}, as torchvision lists them


def read_file(name, shape):
    """Return the pixels or labels in RAW/name, as a uint8 tensor of this shape.

    Exit in one line if the file is not byte for byte that of the MNIST database.
    """
    path = RAW / name
    hint = f'`git checkout -- "{path}"` restores it, or take the original of the MNIST database'
    try:
        content = path.read_bytes()
    except OSError as error:
        sys.exit(f"{path}: cannot be read ({error.strerror}); {hint}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[name]:
        sys.exit(f"{path}: is not MNIST's own file; {hint}")
    header = 4 + 4 * len(shape)  # bytes
    values = np.frombuffer(gzip.decompress(content), np.uint8, offset=header)
    return torch.tensor(values).view(shape)


def load_mnist(train=True, device="cpu"):
    """Return a split's images (N, 1, 28, 28), float32 in [-1, 1], and labels (N,), on device."""
    split, n = ("train", 60_000) if train else ("t10k", 10_000)
    images = read_file(f"{split}-images-idx3-ubyte.gz", (n, 28, 28))
    labels = read_file(f"{split}-labels-idx1-ubyte.gz", (n,))
    images = images.to(device).unsqueeze(1).float().div_(127.5).sub_(1)
    return images, labels.long().to(device)
