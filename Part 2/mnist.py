"""MNIST from the committed files, checksums verified."""

import shutil
import tempfile
from pathlib import Path

import torchvision

from common import InputError

DATA_DIR = Path(__file__).parent / "data"
FILES = [
    f"{split}-{kind}-ubyte.gz"
    for split in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


def open_mnist(data_dir=DATA_DIR, train=True, transform=None):
    """Return torchvision's MNIST dataset of (image, label), the training or the test split.

    Raises InputError when one of the four files is missing, cut short or altered and cannot be
    downloaded.

    torchvision compares the .gz files with their MD5, but trusts any unpacked file of the right
    name, even one that a killed run left half-written. So only the .gz files are copied, to a
    temporary folder where torchvision unpacks them. That takes half a second, and also works where
    data_dir cannot be written.
    """
    source = Path(data_dir) / "MNIST" / "raw"
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, raw / name)
        try:
            return torchvision.datasets.MNIST(root, train, transform, download=True)
        except RuntimeError as error:  # no file with the right MD5, here or on the network
            names = ", ".join(FILES)
            raise InputError(
                f"{source}: needs MNIST's four original files {names}; "
                "one is missing or damaged, and no download was possible"
            ) from error


def load_mnist(data_dir=DATA_DIR, train=True, device="cpu"):
    """Return (images, labels) of a split as whole tensors on device; errors as in open_mnist.

    images is float32 (N, 1, 28, 28) in [-1, 1], labels int64 (N,) in 0..9; N is 60,000 or 10,000.
    """
    mnist = open_mnist(data_dir, train)
    images = mnist.data.to(device).unsqueeze(1).float().div_(127.5).sub_(1)
    return images, mnist.targets.to(device)
