"""Tests of the training loop, and of the scripts that use its runs."""

import hashlib
import signal
import subprocess
import sys
import time

import pytest
import torch
import train
from checkpoint import claim
from common import load
from conftest import HERE, assert_one_line, assert_refused, script
from figures import save_grid
from gan import Generator, discriminator_loss, generator_loss, gradient_penalty
from metrics import latent_points
from mnist import load_mnist
from PIL import Image

TINY = ["--n_images", "200", "--n_epochs", "4", "--save_interval", "2"]
TINY += ["--measure_every", "2", "--fakes", "64", "--late", "0.5"]


def hashes(folder):
    """Return {name: SHA-256} of what a run leaves: generator, measurements, grids."""
    patterns = "mnist_generator.pth", "quality.csv", "images/[!.]*"  # no .tmp- that a kill left
    files = {path for pattern in patterns for path in folder.glob(pattern)}
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def new_game(*flags):
    """Return a game of fewer dimensions, and the settings of these flags."""
    args = train.make_flags().parse_args(["--latent_dim", "8", *map(str, flags)])
    return train.Game(args), args


def test_each_player_has_the_rate_and_the_betas_asked_for():
    game, _ = new_game("--lr", 0.1, "--lr_d", 0.2, "--b1", 0.3, "--b2", 0.4)
    asked_for = (game.generator, game.optimizer_g, 0.1), (game.discriminator, game.optimizer_d, 0.2)
    for player, optimizer, rate in asked_for:
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (rate, (0.3, 0.4))
        assert all(a is b for a, b in zip(group["params"], player.parameters(), strict=True))


@pytest.mark.parametrize(("late", "halves"), [(0, [1] * 5), (0.4, [1, 1, 1, 2, 2]), (1, [2] * 5)])
def test_rates_are_halved_for_the_last_epochs(late, halves):
    game, args = new_game("--n_epochs", 5, "--late", late, "--lr", 0.1, "--lr_d", 0.2)
    for game.epoch, half in enumerate(halves):
        train.set_rates(game, args)
        (group_g,), (group_d,) = game.optimizer_g.param_groups, game.optimizer_d.param_groups
        assert (group_g["lr"], group_d["lr"]) == (0.1 / half, 0.2 / half)


@pytest.mark.parametrize(("r1", "epoch"), [(0, 2), (3, 2), (3, 1)])
def test_each_player_gets_the_gradients_of_its_own_loss_alone(r1, epoch):
    flags = "--n_epochs", 4, "--early", 0.5, "--fakes", 5, "--r1", r1, "--r1_every", 2
    game, args = new_game(*flags)
    game.epoch, early = epoch, 2 if epoch < 2 else 1
    generator, discriminator = game.generator, game.discriminator
    real = torch.rand(6, 1, 28, 28)
    z = torch.randn(early * 5, 8, generator=game.rng.clone_state())
    fake = generator(z)
    g_loss = generator_loss(discriminator(fake))
    expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    x = real.clone().requires_grad_()
    penalty = 2 * r1 / early * gradient_penalty(discriminator(x), x)  # every 2nd step, so twice
    expected_d = torch.autograd.grad(d_loss + penalty, list(discriminator.parameters()))
    train.train_step(game, real, args)
    torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
    found = [p.grad for p in discriminator.parameters()]
    torch.testing.assert_close(found, list(expected_d), msg="generator's step filled D's gradients")
    torch.testing.assert_close(game.history[0, :2], torch.stack([d_loss, g_loss]).detach())


@pytest.fixture(scope="module")
def straight_run(tmp_path_factory):
    """Return the folder of a tiny run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("straight")
    process = script("train.py", *TINY, "--out_dir", folder, cwd=folder)
    assert process.returncode == 0, process.stderr
    assert process.stderr == "", "progress bars belong on terminals only"
    return folder


def test_measuring_changes_nothing(straight_run, tmp_path):
    process = script("train.py", *TINY, "--measure_every", 0, "--out_dir", tmp_path, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / "quality.csv").exists()
    assert hashes(tmp_path).items() <= hashes(straight_run).items()


def test_samples_are_drawn_in_eval_mode(straight_run, tmp_path):
    """The last grid is what the saved generator draws at the fixed points, each for itself."""
    generator = load(straight_run / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    with torch.no_grad():
        images = torch.cat([generator(z) for z in latent_points(25, 100, 0, "cpu").split(1)])
    save_grid(tmp_path / "expected.png", images)
    grids = [Image.open(p) for p in (tmp_path / "expected.png", straight_run / "images" / "16.png")]
    expected, found = (torch.tensor(list(grid.tobytes())) for grid in grids)
    assert (expected - found).abs().max() <= 1, "by the batch's statistics?"


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path):
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    command = [sys.executable, HERE / "train.py", *TINY, "--out_dir", "killed"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert_refused(script("train.py", *TINY, "--out_dir", "killed", cwd=tmp_path), "--resume")
    other = script("train.py", *TINY, "--lr", 0.5, "--out_dir", "killed", "--resume", cwd=tmp_path)
    assert_refused(other, "made with --lr 0.0008 not 0.5")
    resumed = script("train.py", *TINY, "--out_dir", "killed", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    found = hashes(tmp_path / "killed")
    assert found == hashes(straight_run)
    assert len(found) == 2 + 9  # 4 epochs of 4 batches: 0, 2, ..., 14 and the end
    rows = (straight_run / "quality.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["4", "1"], ["8", "2"], ["16", "4"]]
    for name in ("losses.png", "quality.png", "training.gif"):
        assert (tmp_path / "killed" / name).stat().st_size > 1000


def test_two_runs_are_compared(straight_run, tmp_path):
    process = script("compare.py", straight_run, straight_run, "--out_dir", tmp_path, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    last = float((straight_run / "quality.csv").read_text().splitlines()[-1].split(",")[2])
    assert f"real test images 1.73, our settings {last:.2f}" in process.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"quality.png", "samples.png"}
    refused = script("compare.py", straight_run, tmp_path, "--out_dir", tmp_path, cwd=tmp_path)
    assert_refused(refused, str(tmp_path), "quality.csv")


def test_batchnorm_statistics_belong_to_the_averaged_weights(straight_run):
    x = torch.randn(10_000, 100, generator=torch.Generator().manual_seed(1))
    generator = load(straight_run / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    with torch.no_grad():
        for layer in generator.layers:
            if isinstance(layer, torch.nn.BatchNorm1d):
                off = (layer.running_mean - x.mean(0)) / x.std(0)
                assert off.abs().max() < 0.1, "were the statistics averaged, and not measured?"
                assert (layer.running_var / x.var(0) - 1).abs().max() < 0.2
            x = layer(x)


def test_shuffled_images_lazy_penalty_late_rates_and_averaged_weights(tmp_path, monkeypatch):
    weights, penalised, seen, rates = [], [], [], []
    train_step = train.train_step

    def spy(game, real, args):
        train_step(game, real, args)
        weights.append([p.detach().clone() for p in game.generator.parameters()])
        penalised.append(real.requires_grad)
        rates.append([o.param_groups[0]["lr"] for o in (game.optimizer_g, game.optimizer_d)])
        seen.append(real.detach())

    monkeypatch.setattr(train, "train_step", spy)
    flags = ["--r1", "0.5", "--r1_every", "3", "--ema", "0.3", "--measure_every", "0"]
    monkeypatch.setattr(sys, "argv", ["train.py", *TINY, *flags, "--out_dir", str(tmp_path)])
    train.main()
    epoch, images = torch.cat(seen[:4]), load_mnist()[0][:200]
    assert not torch.equal(epoch, images), "in the order of the file"
    ink = [of.double().sum((1, 2, 3)).sort().values for of in (epoch, images)]
    assert torch.equal(*ink), "each image once"
    assert penalised == [True, False, False] * 5 + [True], "every 3 batches"
    assert rates == [[8e-4, 4e-4]] * 8 + [[4e-4, 2e-4]] * 8, "halved for the last 2 of 4 epochs"
    averaged = weights[0]
    for n, current in enumerate(weights[1:], start=1):
        decay = min(0.3, (1 + n) / (10 + n))
        averaged = [decay * a + (1 - decay) * w for a, w in zip(averaged, current, strict=True)]
    saved = load(tmp_path / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    torch.testing.assert_close([p.detach() for p in saved.parameters()], averaged)


def test_two_runs_never_write_into_one_folder(tmp_path):
    claim(tmp_path)
    assert_refused(script("train.py", *TINY, "--out_dir", tmp_path, cwd=tmp_path), "another run")
    assert not list(tmp_path.rglob("*.p*")), "something was written"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--batch_size", "0"),
        ("--fakes", "1"),
        ("--early", "1.1"),
        ("--late", "-1"),
        ("--measure_every", "-1"),
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
    assert_one_line(error, value)
    assert not list(tmp_path.rglob("*.p*")), "something was written"


def test_the_benchmark_runs(tmp_path):
    process = script("benchmark.py", "--rounds", 1, "--n_steps", 2, "--epochs", 0, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count(" x plain") == 3
