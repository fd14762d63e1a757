"""Tests of what Part 2 reads and writes: MNIST, weights, output."""

import pickle
import shutil
import socket

import pytest
import torch

import mnist
import sample
from common import InputError, load_model
from conftest import HERE
from gan import Discriminator, Generator
from mnist import RAW, load_mnist


@pytest.fixture
def offline(monkeypatch):
    """Let every attempt to open a connection fail at once."""

    def refuse(*_):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_mnist_loads_offline(offline):
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("damage", ["missing", "cut short", "altered", "swapped"])
def test_broken_data_is_named(tmp_path, offline, monkeypatch, damage):
    raw = tmp_path / "raw"
    shutil.copytree(RAW, raw)
    monkeypatch.setattr(mnist, "RAW", raw)
    victim = raw / "train-labels-idx1-ubyte.gz"
    content = bytearray(victim.read_bytes())
    if damage == "missing":
        victim.unlink()
    elif damage == "cut short":
        victim.write_bytes(content[:-100])
    elif damage == "altered":
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    else:
        shutil.copyfile(raw / "t10k-labels-idx1-ubyte.gz", victim)
    with pytest.raises(InputError, match=rf"{raw}: needs MNIST's four original \.gz files"):
        load_mnist()


def test_unpacked_files_of_unknown_origin_are_not_trusted(tmp_path, offline, monkeypatch):
    raw = tmp_path / "raw"
    shutil.copytree(RAW, raw)
    monkeypatch.setattr(mnist, "RAW", raw)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"not labels")
    assert load_mnist(train=False)[1].bincount()[0] == 980


class Exploit:
    """A pickle that would create a file when read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        """Return the call open(path, "w"), which pickle would make."""
        return open, (self.path, "w")


def test_broken_weights_are_refused_and_run_no_code(tmp_path, refuse):
    bad, hit = tmp_path / "bad.pth", tmp_path / "hit"
    good = (HERE / "mnist_generator.pth").read_bytes()
    generator = load_model(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    weight = generator.layers[0].bias.detach().numpy().tobytes()
    writers = [
        lambda: bad.write_bytes(good[: len(good) // 2]),
        lambda: bad.write_bytes(good.replace(weight, weight[::-1])),
        lambda: bad.write_bytes(good.replace(b"data.pkl", b"d\xff\xffa.pkl", 1)),
        lambda: bad.write_bytes(b""),
        lambda: bad.write_bytes(b"not weights"),
        lambda: bad.write_bytes(pickle.dumps(Exploit(str(hit)))),
        lambda: torch.save(Exploit(str(hit)), bad),
        lambda: torch.save(Generator(), bad),
        lambda: torch.save([1, 2], bad),
        lambda: torch.save({"layers.0.weight": torch.zeros(3)}, bad),
        lambda: torch.save(Discriminator().state_dict(), bad),
        lambda: shutil.copyfile(HERE / "mnist_classifier.pth", bad),
    ]
    for write in writers:
        write()
        with pytest.raises(InputError, match=r"bad\.pth"):
            load_model(bad, "cpu", Generator.from_state_dict)
        refuse(sample.main, "--generator", bad, words=["bad.pth"])
        bad.unlink()
    assert not hit.exists()
