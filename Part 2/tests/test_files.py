"""Tests of what Part 2 reads: MNIST, weights, flags."""

import pytest
import torch

import interpolate
import sample
import study_map
import study_quality
from conftest import HERE
from gan import Discriminator
from mnist import load_mnist


def test_mnist_has_the_known_shapes_ranges_and_numbers_of_digits():
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert load_mnist()[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


class Exploit:
    """A pickle that would create the file "hit" when read."""

    def __reduce__(self):
        """Return the call that pickle would make."""
        return open, ("hit", "w")


def test_broken_weights_are_refused_and_run_no_code(tmp_path, refuse):
    bad = tmp_path / "bad.pth"
    good = (HERE / "mnist_generator.pth").read_bytes()
    for write in (
        lambda: bad.write_bytes(good[: len(good) // 2]),
        lambda: torch.save(Exploit(), bad),
        lambda: torch.save(Discriminator().state_dict(), bad),
        lambda: torch.save({"layers.0.weight": torch.zeros(128)}, bad),
    ):
        write()
        refuse(sample.main, "--generator", bad, words=["bad.pth"])
    assert not (tmp_path / "hit").exists()


@pytest.mark.parametrize("script", [sample, interpolate, study_map, study_quality])
def test_a_generator_that_is_not_there_is_named(refuse, script):
    flag = "--generators" if script is study_quality else "--generator"
    refuse(script.main, flag, "none.pth", words=["none.pth"])
