"""Tests of what Part 2 reads: MNIST, weights, flags."""

import math
import re
import shutil

import pytest
import torch

import mnist
import sample
from common import InputError
from conftest import HERE
from gan import Discriminator
from mnist import RAW, load_mnist


def test_mnist_has_the_known_shapes_ranges_and_numbers_of_digits():
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert load_mnist()[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_a_broken_file_of_mnist_is_named(tmp_path, monkeypatch):
    shutil.copy(RAW / "train-images-idx3-ubyte.gz", tmp_path)
    monkeypatch.setattr(mnist, "RAW", tmp_path)
    victim = tmp_path / "train-labels-idx1-ubyte.gz"
    content = (RAW / victim.name).read_bytes()
    altered = content[:9999] + bytes([content[9999] ^ 1]) + content[10_000:]
    for damaged in content[:-100], altered, (RAW / "t10k-labels-idx1-ubyte.gz").read_bytes():
        victim.write_bytes(damaged)
        with pytest.raises(InputError, match=re.escape(str(victim))):
            load_mnist()


class Exploit:
    """A pickle that would create the file "hit" when read."""

    def __reduce__(self):
        """Return the call that pickle would make."""
        return open, ("hit", "w")


def test_broken_weights_are_refused_and_run_no_code(tmp_path, refuse):
    bad = tmp_path / "bad.pth"
    good = (HERE / "mnist_generator.pth").read_bytes()
    weights = torch.load(HERE / "mnist_generator.pth", weights_only=True)
    for write in (
        lambda: bad.write_bytes(good[: len(good) // 2]),
        lambda: torch.save(Exploit(), bad),
        lambda: torch.save(Discriminator().state_dict(), bad),
        lambda: torch.save(weights | {"layers.3.bias": torch.full((256,), math.nan)}, bad),
        lambda: torch.save({name: weight.int() for name, weight in weights.items()}, bad),
    ):
        write()
        refuse(sample.main, "--generator", bad, words=["bad.pth"])
    assert not (tmp_path / "hit").exists()
