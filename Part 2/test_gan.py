"""Tests of Part 2: models, losses, data, files, measurements; the scripts as users run them."""

import hashlib
import os
import pickle
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
import torch
from checkpoint import claim, load
from classifier import Classifier, accuracy
from common import InputError, save
from evaluate import density_and_coverage, frechet_distance, inception_score, nearest
from gan import Discriminator, Generator, discriminator_loss, generator_loss, gradient_penalty
from interpolate import find_ends, lerp, slerp
from mnist import DATA_DIR, FILES, load_mnist

HERE = Path(__file__).parent
train = SimpleNamespace(**runpy.run_path(str(HERE / "train.py")))  # Part 1 has a train.py, too
TINY = ["--n_images", "200", "--n_epochs", "4", "--save_interval", "2"]


def script(name, *arguments, cwd):
    """Run a script as a user does, from another folder; return the finished process."""
    command = [sys.executable, HERE / name, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def assert_refused(process, *words):
    """Check that bad input ended in code 2 and one line that holds the words."""
    assert process.returncode == 2, process.stderr
    assert process.stderr.count("\n") == 1, f"one line expected, got:\n{process.stderr}"
    for word in words:
        assert word in process.stderr


def hashes(folder):
    """Return {name: SHA-256} of the generator and all grids in a run's folder."""
    files = [folder / "mnist_generator.pth", *(folder / "images").iterdir()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture
def offline(monkeypatch):
    """Let every attempt to open a connection fail at once."""

    def refuse(*_):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def committed():
    """Return the generator and the classifier that the repository holds."""
    generator = load(HERE / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    return generator, load(HERE / "mnist_classifier.pth", "cpu", Classifier.from_state_dict)


@pytest.mark.parametrize(("batch", "latent_dim"), [(2, 1), (7, 100)])
def test_shapes_and_ranges(batch, latent_dim):
    torch.manual_seed(0)
    generator = Generator(latent_dim)
    images = generator(100 * torch.randn(batch, latent_dim))
    assert images.shape == (batch, 1, 28, 28)
    assert images.abs().max() <= 1, "images leave [-1, 1]: is the last layer a tanh?"
    logits = Discriminator()(1000 * images)
    assert logits.shape == (batch, 1)
    assert not ((logits >= 0) & (logits <= 1)).all(), "logits expected: is there a sigmoid inside?"
    rebuilt = Generator.from_state_dict(generator.state_dict())
    assert rebuilt.latent_dim == latent_dim
    assert not rebuilt.training


def test_losses_are_bceloss_on_probabilities():
    real = torch.randn(9, 1, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(9, 1, dtype=torch.float64, requires_grad=True)
    bce, one, zero = torch.nn.BCELoss(), torch.ones_like(real), torch.zeros_like(real)
    template = bce(torch.sigmoid(real), one) + bce(torch.sigmoid(fake), zero)
    pairs = [
        (discriminator_loss(real, fake), template, [real, fake]),
        (generator_loss(fake), bce(torch.sigmoid(fake), one), [fake]),
    ]
    for ours, theirs, inputs in pairs:
        torch.testing.assert_close(ours, theirs)
        gradients = (torch.autograd.grad(loss, inputs) for loss in (ours, theirs))
        torch.testing.assert_close(*gradients)
    far = torch.tensor([[1000.0]], requires_grad=True)  # log(1 - sigmoid) would be log(0)
    discriminator_loss(-far, far).backward()
    assert far.grad.isfinite().all()


def test_gradient_penalty_of_a_known_function():
    x = torch.randn(5, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty((a * x.square()).sum((1, 2, 3)), x)  # its gradient is 2 a x
    torch.testing.assert_close(penalty, (2 * a * x).square().sum((1, 2, 3)).mean() / 2)
    (slope,) = torch.autograd.grad(penalty, a)
    torch.testing.assert_close(slope, 2 * penalty / a)


def players(latent_dim=8):
    """Return two players, with noise of few dimensions, and their optimizers."""
    torch.manual_seed(0)
    generator, discriminator = Generator(latent_dim), Discriminator()
    optimizers = [torch.optim.SGD(p.parameters(), lr=0.1) for p in (generator, discriminator)]
    return generator, discriminator, optimizers


def test_each_player_gets_the_gradients_of_its_own_loss_alone():
    generator, discriminator, optimizers = players()
    real, z = torch.rand(6, 1, 28, 28), torch.randn(6, 8)
    fake = generator(z)
    g_loss = generator_loss(discriminator(fake))
    expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    expected_d = torch.autograd.grad(d_loss, list(discriminator.parameters()))
    statistics = train.train_step(generator, discriminator, optimizers, real, z)
    torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
    found = [p.grad for p in discriminator.parameters()]
    torch.testing.assert_close(found, list(expected_d), msg="generator's step filled D's gradients")
    torch.testing.assert_close(statistics[:2], torch.stack([d_loss, g_loss]).detach())


def test_sampling_changes_nothing():
    generator, *_ = players()
    generator(torch.randn(4, 8))  # BatchNorm has seen something
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    random_state = torch.get_rng_state()
    z = torch.randn(25, 8, generator=torch.Generator().manual_seed(0))
    images = train.sample(generator, z)
    torch.testing.assert_close(images[:2], train.sample(generator, z[:2]))  # eval mode
    assert generator.training
    assert torch.equal(random_state, torch.get_rng_state())
    torch.testing.assert_close(dict(generator.state_dict()), before, rtol=0, atol=0)


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


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(tmp_path):
    flags = [*TINY, "--r1", "0.1"]
    straight = script("train.py", *flags, "--out_dir", "straight", cwd=tmp_path)
    assert straight.returncode == 0, straight.stderr
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    command = [sys.executable, HERE / "train.py", *flags, "--out_dir", "killed"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert_refused(script("train.py", *flags, "--out_dir", "killed", cwd=tmp_path), "--resume")
    other = script("train.py", *flags, "--lr", 0.5, "--out_dir", "killed", "--resume", cwd=tmp_path)
    assert_refused(other, "made with --lr 0.0008 not 0.5")
    resumed = script("train.py", *flags, "--out_dir", "killed", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    found = hashes(tmp_path / "killed")
    assert found == hashes(tmp_path / "straight")
    assert len(found) == 1 + 8  # 4 epochs of 4 batches: 0, 2, ..., 14
    for name in ("losses.png", "training.gif"):
        assert (tmp_path / "killed" / name).stat().st_size > 1000


def test_batchnorm_statistics_belong_to_the_averaged_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", *TINY, "--out_dir", str(tmp_path)])
    train.main()
    x = torch.randn(10_000, 100, generator=torch.Generator().manual_seed(1))
    generator = load(tmp_path / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    with torch.no_grad():
        for layer in generator.layers:
            if isinstance(layer, torch.nn.BatchNorm1d):
                off = (layer.running_mean - x.mean(0)) / x.std(0)
                assert off.abs().max() < 0.1, "were the statistics averaged, and not measured?"
                assert (layer.running_var / x.var(0) - 1).abs().max() < 0.2
            x = layer(x)


def test_two_runs_never_write_into_one_folder(tmp_path):
    claim(tmp_path)
    assert_refused(script("train.py", *TINY, "--out_dir", tmp_path, cwd=tmp_path), "another run")
    assert not list(tmp_path.rglob("*.p*")), "something was written"


@pytest.mark.parametrize(("output", "code", "lines"), [("| true", 141, 0), ("> /dev/full", 2, 1)])
def test_output_that_nobody_takes(tmp_path, output, code, lines):
    command = f'set -o pipefail; "$0" "$1" --out_dir "$2" {output}'
    command = ["bash", "-c", command, sys.executable, HERE / "interpolate.py", tmp_path]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stderr.count("\n")) == (code, lines), process.stderr


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--batch_size", "1"),
        ("--n_epochs", "0"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--b1", "1"),
        ("--ema", "-0.1"),
        ("--latent_dim", "many"),
        ("--seed", "-1"),
        ("--device", "meta"),
        ("--out_dir", __file__),
        ("--data_dir", "/nowhere"),
        ("--nonsense", "1"),
    ],
)
def test_wrong_flags_are_refused(tmp_path, monkeypatch, capsys, offline, flag, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--out_dir", "out", flag, value])
    with pytest.raises(SystemExit) as stop:
        train.run(train.main)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1, f"one line expected, got:\n{error}"
    assert value in error
    assert not list(tmp_path.rglob("*.p*")), "something was written"


def test_the_classifier_reads_digits(committed):
    assert accuracy(committed[1], *load_mnist(train=False)) >= 0.993


@pytest.mark.parametrize("path", [lerp, slerp])
@pytest.mark.parametrize("digits", [(3, 8), (8, 3), (0, 1), None])
def test_nine_distinct_images_from_one_digit_to_another(committed, path, digits):
    generator, classifier = committed
    start, end = find_ends(generator, classifier, digits, seed=0)
    with torch.no_grad():
        images = generator(path(start, end, torch.linspace(0, 1, 9)))
        seen = classifier(images).argmax(1).tolist()
    assert seen[0] != seen[-1]
    assert digits is None or (seen[0], seen[-1]) == digits
    distances = torch.cdist(*[images.flatten(1)] * 2) + 1000 * torch.eye(9)
    assert distances.min() > 0.05, "two of the nine images are the same"
    blend = torch.lerp(images[0], images[-1], torch.full((1, 1, 1), 0.5))
    assert (images[4] - blend).abs().max() > 0.1, "pixels are blended, not latent points"


def test_interpolate_draws_from_any_folder(tmp_path):
    process = script("interpolate.py", "--digits", 4, 7, "--out_dir", "x", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "9 distinct images" in process.stdout
    assert (tmp_path / "x" / "interpolation.png").stat().st_size > 1000
    assert_refused(script("interpolate.py", "--digits", 4, 4, cwd=tmp_path), "--digits", "4")
    assert_refused(script("interpolate.py", "--digits", 4, 10, cwd=tmp_path), "--digits", "10")


def test_frechet_distance_against_the_closed_form():
    """For diagonal covariances it is ||m||^2 + sum (sqrt(a) - sqrt(b))^2."""
    rng = torch.Generator().manual_seed(0)
    raw = torch.randn(500, 4, generator=rng, dtype=torch.float64)
    raw -= raw.mean(0)
    white = raw @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(raw.T))).T  # covariance 1
    a, b = (torch.tensor(v, dtype=torch.float64) for v in ([1, 4, 9, 0], [4, 1, 16, 1]))
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=rng, dtype=torch.float64)).Q
    x, y = white * a.sqrt() @ rotation, (white * b.sqrt() + 2) @ rotation
    expected = 4 * 2**2 + (a.sqrt() - b.sqrt()).square().sum().item()
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_inception_score_of_known_predictions():
    sure = 100 * torch.eye(10).repeat(3, 1)
    assert inception_score(sure) == pytest.approx(10)
    assert inception_score(sure[:1].repeat(9, 1)) == pytest.approx(1), "one digit only"
    assert inception_score(torch.zeros(9, 10)) == pytest.approx(1), "no digit recognised"


def test_coverage_sees_missing_kinds_and_density_sees_noise():
    rng = torch.Generator().manual_seed(0)
    real = torch.cat([torch.randn(200, 2, generator=rng), 50 + torch.randn(200, 2, generator=rng)])
    same = torch.cat([torch.randn(200, 2, generator=rng), 50 + torch.randn(200, 2, generator=rng)])
    density, coverage = density_and_coverage(real, same)
    assert density == pytest.approx(1, abs=0.2)
    assert coverage > 0.9
    assert density_and_coverage(real, same[:200].repeat(2, 1))[1] == pytest.approx(0.5, abs=0.05)
    assert density_and_coverage(real, same + 1000) == (0, 0)


def test_a_copied_image_has_distance_zero():
    images = load_mnist(train=False)[0][:600]
    distance, index = nearest(images[100:110], images).T
    assert distance.max() < 0.1  # cdist subtracts large squares in float32
    assert index.tolist() == list(range(100, 110))


def test_the_benchmark_runs(tmp_path):
    process = script("benchmark.py", "--rounds", 1, "--n_steps", 2, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "x the plain loop" in process.stdout


def test_every_file_that_the_report_links_to_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", (HERE.parent / "README.md").read_text())
    assert len(links) > 10
    assert [link for link in links if not (HERE.parent / unquote(link)).exists()] == []


def test_evaluate_prints_the_table(tmp_path):
    process = script("evaluate.py", "--n_samples", 200, "--out_dir", tmp_path, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    rows = [line for line in process.stdout.splitlines() if "%" in line]
    assert [row[:9] for row in rows] == ["real test", "generator", "uniform n"]
    assert (tmp_path / "evaluation.png").stat().st_size > 1000
