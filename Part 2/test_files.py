"""Tests of what Part 2 reads and writes: MNIST, weights, output."""

import os
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from common import InputError, load, save
from conftest import HERE, assert_refused, script
from gan import Discriminator, Generator
from mnist import DATA_DIR, FILES, load_mnist


def test_mnist_loads_offline(offline):
    images, labels = load_mnist(train=False)
    assert images.shape == (10_000, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("damage", ["missing", "cut short", "altered", "swapped"])
def test_broken_data_is_named(tmp_path, offline, damage):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(DATA_DIR / "MNIST" / "raw" / name, raw / name)
    victim = raw / FILES[1]
    content = bytearray(victim.read_bytes())
    if damage == "missing":
        victim.unlink()
    elif damage == "cut short":
        victim.write_bytes(content[:-100])
    elif damage == "altered":
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    else:
        shutil.copyfile(raw / FILES[3], victim)
    with pytest.raises(InputError) as error:
        load_mnist(tmp_path)
    assert all(word in str(error.value) for word in [str(raw), *FILES])


def test_unpacked_files_of_unknown_origin_are_not_trusted(tmp_path, offline):
    raw = tmp_path / "MNIST" / "raw"
    shutil.copytree(DATA_DIR / "MNIST" / "raw", raw)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"not labels")
    assert load_mnist(tmp_path, train=False)[1].bincount()[0] == 980


class Exploit:
    """A pickle that would create a file when read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        """Tell pickle to call open(path, "w")."""
        return open, (self.path, "w")


def test_broken_weights_are_refused_and_run_no_code(tmp_path, committed):
    good, bad, hit = (
        (HERE / "mnist_generator.pth").read_bytes(),
        tmp_path / "bad.pth",
        tmp_path / "hit",
    )
    weight = committed[0].layers[0].bias.detach().numpy().tobytes()
    foreign = Discriminator().state_dict()
    writers = [
        lambda: bad.write_bytes(good[: len(good) // 2]),
        lambda: bad.write_bytes(good.replace(weight, weight[::-1])),
        lambda: bad.write_bytes(b""),
        lambda: bad.write_bytes(b"not weights"),
        lambda: bad.write_bytes(pickle.dumps(Exploit(str(hit)))),
        lambda: torch.save(Exploit(str(hit)), bad),
        lambda: torch.save(Generator(), bad),
        lambda: torch.save([1, 2], bad),
        lambda: torch.save(foreign, bad),
        lambda: shutil.copyfile(HERE / "mnist_classifier.pth", bad),
    ]
    for write in writers:
        write()
        with pytest.raises(InputError, match=r"bad\.pth"):
            load(bad, "cpu", Generator.from_state_dict)
        bad.unlink()
    assert not hit.exists()
    assert_refused(script("interpolate.py", "--generator", bad, cwd=tmp_path), "bad.pth")


def test_a_failed_save_leaves_the_old_file_whole(tmp_path, monkeypatch):
    target = tmp_path / "weights.pth"
    target.write_bytes(b"old")

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(InputError, match=r"weights\.pth.*No space"):
        save(target, lambda file: file.write(b"new"))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("output", "code", "lines"), [("| true", 141, 0), ("> /dev/full", 2, 1)])
def test_output_that_nobody_takes(tmp_path, output, code, lines):
    command = f'set -o pipefail; "$0" "$1" --out_dir "$2" {output}'
    command = ["bash", "-c", command, sys.executable, HERE / "interpolate.py", tmp_path]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stderr.count("\n")) == (code, lines), process.stderr
