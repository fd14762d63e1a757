"""MNIST from the committed files, checksums verified."""

import shutil
import tempfile
from pathlib import Path

import torchvision

from common import HERE, InputError

RAW = HERE / "data" / "MNIST" / "raw"  # where the four files are


def open_mnist(train=True, transform=None):
    """Return torchvision's MNIST dataset of (image, label), the training or the test split.

    Raises InputError when one of the four files is missing, cut short or altered and cannot be
    downloaded.

    torchvision compares the .gz files with their MD5, but trusts any unpacked file of the right
    name, even one that a killed run left half-written. So only the .gz files are copied, to a
    temporary folder where torchvision unpacks them. That takes half a second, and also works where
    RAW cannot be written.
    """
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        try:
            for file in RAW.glob("*-ubyte.gz"):
                shutil.copyfile(file, raw / file.name)
            return torchvision.datasets.MNIST(root, train, transform, download=True)
        except (OSError, RuntimeError) as error:  # no file with the right MD5, here or elsewhere
            raise InputError(
                f"{RAW}: needs MNIST's four original .gz files; one is missing or damaged, and no "
                f"download was possible ({error})"
            ) from error


def load_mnist(train=True, device="cpu"):
    """Return (images, labels) of a split as whole tensors on device; errors as in open_mnist.

    images is float32 (N, 1, 28, 28) in [-1, 1], labels int64 (N,) in 0..9; N is 60,000 or 10,000.
    """
    mnist = open_mnist(train)
    images = mnist.data.to(device).unsqueeze(1).float().div_(127.5).sub_(1)
    return images, mnist.targets.to(device)
