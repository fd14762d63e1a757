"""Tests of the training, and of the scripts that use its runs."""

import hashlib
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

import ablation
import benchmark
import compare
import train
from checkpoint import settings_of
from classifier import load_classifier
from common import load, load_model
from conftest import HERE
from figures import save_grid
from gan import Generator, discriminator_loss, generator_loss, gradient_penalty, latent_points
from metrics import Comparison
from mnist import load_mnist

TINY = ["--n_images", "200", "--n_epochs", "3", "--save_interval", "2"]
TINY += ["--fakes", "64", "--n_measured", "200"]


def hashes(folder):
    """Return {name: SHA-256} of what a run leaves: generator, numbers, grids."""
    patterns = "mnist_generator.pth", "*.csv", "images/[!.]*"  # no .tmp- that a kill left
    files = {path for pattern in patterns for path in folder.glob(pattern)}
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def new_game(*flags):
    """Return a game with these flags."""
    return train.Game(train.parse_args([str(flag) for flag in flags]))


def tiny_run(folder, *flags):
    """Make a tiny run in this process."""
    train.train(train.parse_args([*TINY, "--out_dir", str(folder), *map(str, flags)]))


@pytest.fixture
def few_images(monkeypatch):
    """Let the scripts that are tested in this process see 500 images of MNIST only."""
    splits = {split: load_mnist(train=split) for split in (True, False)}

    def load_few(train=True, device="cpu"):
        images, labels = splits[train]
        return images[:500], labels[:500]

    for module in (ablation, benchmark, compare):
        monkeypatch.setattr(module, "load_mnist", load_few)


def test_each_player_has_the_rate_and_the_betas_asked_for():
    game = new_game("--lr", 0.1, "--lr_d", 0.2, "--b1", 0.3, "--b2", 0.4)
    asked_for = (game.generator, game.optimizer_g, 0.1), (game.discriminator, game.optimizer_d, 0.2)
    for player, optimizer, rate in asked_for:
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (rate, (0.3, 0.4))
        assert all(a is b for a, b in zip(group["params"], player.parameters(), strict=True))


@pytest.mark.parametrize("r1", [0, 3])
def test_each_player_gets_the_gradients_of_its_own_loss_alone(r1):
    game = new_game("--latent_dim", 8, "--fakes", 5, "--r1", r1, "--r1_every", 2)
    generator, discriminator = game.generator, game.discriminator
    real = torch.rand(6, 1, 28, 28)
    fake = generator(torch.randn(5, 8, generator=game.rng.clone_state()))
    g_loss = generator_loss(discriminator(fake))
    expected_g = torch.autograd.grad(g_loss, list(generator.parameters()), retain_graph=True)
    d_loss = discriminator_loss(discriminator(real), discriminator(fake))
    penalty = 2 * r1 * gradient_penalty(discriminator, real)  # every 2nd step, so twice
    expected_d = torch.autograd.grad(d_loss + penalty, list(discriminator.parameters()))
    train.train_step(game, real)
    torch.testing.assert_close([p.grad for p in generator.parameters()], list(expected_g))
    found = [p.grad for p in discriminator.parameters()]
    torch.testing.assert_close(found, list(expected_d))  # nothing of the generator's step
    torch.testing.assert_close(game.history[0, :2], torch.stack([d_loss, g_loss]).detach())


def test_the_training_learns():
    """After 300 steps the distance is below a third of the start's; not so if a player rests.

    Measured: 0.20 of the untrained generator's distance; 1.08 if the generator rests, 0.88 if the
    discriminator does.
    """
    real_images = load_mnist()[0][:10_000]
    comparison = Comparison(load_classifier("eye", "cpu"), real_images[:2000])
    game = new_game("--fakes", 64, "--n_images", 10_000)  # 157 batches in an epoch

    def distance():
        images = train.samples(game, 1000, seed=0)
        return comparison.quality(images)["frechet_distance"]

    untrained = distance()
    while game.step < 300:
        for real in train.shuffled_batches(real_images, 64, game.rng):
            train.train_step(game, real)
    assert distance() < untrained / 3


@pytest.fixture(scope="module")
def straight_run(tmp_path_factory):
    """Return the folder of a tiny run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("straight")
    command = [sys.executable, HERE / "train.py", *TINY, "--out_dir", "run"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stderr == "", "progress bars belong on terminals only"
    return folder / "run"


def test_measuring_changes_nothing(straight_run, tmp_path):
    tiny_run(tmp_path, "--measure_every", 0)
    assert not (tmp_path / "quality.csv").exists()
    assert hashes(tmp_path).items() <= hashes(straight_run).items()


def test_the_last_grid_is_drawn_by_the_saved_generator_in_eval_mode(straight_run, tmp_path):
    file = straight_run / "mnist_generator.pth"
    generator = load_model(file, "cpu", Generator.from_state_dict)
    with torch.no_grad():
        images = torch.cat([generator(z) for z in latent_points(25, 100, 0, "cpu").split(1)])
    save_grid(tmp_path / "expected.png", images)
    grids = [Image.open(p) for p in (tmp_path / "expected.png", straight_run / "images" / "12.png")]
    expected, found = (torch.tensor(list(grid.tobytes())) for grid in grids)
    assert (expected - found).abs().max() <= 1, "by the batch's statistics?"


def test_killed_and_resumed_gives_the_bits_of_a_straight_run(straight_run, tmp_path, refuse):
    command = [sys.executable, HERE / "train.py", *TINY, "--out_dir", "killed"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for row in process.stdout:
        if row.startswith("epoch 1/3"):
            process.kill()
    assert process.wait() != 0, "the run ended before it could be killed"
    killed = tmp_path / "killed"
    assert load(killed / "checkpoint.pt", "cpu")["game"]["epoch"] >= 1

    flags = [*TINY, "--out_dir", killed]
    ways_out = "--resume", "--out_dir", "checkpoint.pt"
    refuse(train.main, *flags, words=ways_out)
    refuse(train.main, *flags, "--resume", "--lr", 0.5, words=["made with --lr 0.0008, now 0.5"])
    tiny_run(killed, "--resume")
    found = hashes(killed)
    assert found == hashes(straight_run)
    assert len(found) == 3 + 7  # generator and two csv; grids 0, 2, ..., 10 and 12
    rows = (killed / "quality.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["4", "1"], ["8", "2"], ["12", "3"]]
    for name in ("losses.png", "quality.png", "training.gif"):
        assert (killed / name).stat().st_size > 1000

    refuse(train.main, *flags, words=ways_out)  # a finished run
    tiny_run(killed, "--resume")
    assert hashes(killed) == found


def test_batchnorm_statistics_belong_to_the_averaged_weights(straight_run):
    x = torch.randn(10_000, 100, generator=torch.Generator().manual_seed(1))
    generator = load_model(straight_run / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    with torch.no_grad():
        for layer in generator.layers:
            if isinstance(layer, torch.nn.BatchNorm1d):
                off = (layer.running_mean - x.mean(0)) / x.std(0)
                assert off.abs().max() < 0.1, "were the statistics averaged, and not measured?"
                assert (layer.running_var / x.var(0) - 1).abs().max() < 0.2
            x = layer(x)


def test_a_foreign_checkpoint_is_refused(tmp_path, refuse):
    settings = settings_of(train.parse_args(TINY))
    for content in [1, 2], {"settings": settings, "game": {"epoch": 1}}:
        torch.save(content, tmp_path / "checkpoint.pt")
        refuse(train.main, *TINY, "--out_dir", tmp_path, "--resume", words=["checkpoint.pt"])


def test_shuffled_images_lazy_penalty_and_averaged_weights(tmp_path, monkeypatch):
    weights, penalised, seen = [], [], []
    train_step, penalty = train.train_step, train.gradient_penalty

    def spy(game, real):
        train_step(game, real)
        weights.append([p.detach().clone() for p in game.generator.parameters()])
        seen.append(real)

    def spy_on_penalty(discriminator, real):
        penalised.append(len(seen))
        return penalty(discriminator, real)

    monkeypatch.setattr(train, "train_step", spy)
    monkeypatch.setattr(train, "gradient_penalty", spy_on_penalty)
    flags = ["--r1", 0.5, "--r1_every", 3, "--ema", 0.5, "--lr", 0.05, "--measure_every", 0]
    tiny_run(tmp_path, *flags)
    assert penalised == [0, 3, 6, 9], "every 3 batches"
    epoch, images = torch.cat(seen[:4]), load_mnist()[0][:200]
    assert not torch.equal(epoch, images), "in the order of the file"
    ink = [of.double().sum((1, 2, 3)).sort().values for of in (epoch, images)]
    assert torch.equal(*ink), "each image once"
    averaged = weights[0]
    for n, current in enumerate(weights[1:], start=1):
        decay = min(0.5, (1 + n) / (10 + n))
        averaged = [decay * a + (1 - decay) * w for a, w in zip(averaged, current, strict=True)]
    saved = load_model(tmp_path / "mnist_generator.pth", "cpu", Generator.from_state_dict)
    torch.testing.assert_close([p.detach() for p in saved.parameters()], averaged)


def test_when_the_quality_is_measured():
    args = train.parse_args(["--n_epochs", "23", "--measure_every", "5"])
    due = [epoch for epoch in range(1, 24) if train.is_due(epoch, args)]
    assert due == [*range(1, 11), 15, 20, 23]


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--batch_size", "0"),
        ("--fakes", "1"),
        ("--measure_every", "-1"),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--b1", "1"),
        ("--ema", "-0.1"),
        ("--latent_dim", "many"),
        ("--seed", "-1"),
        ("--device", "meta"),
        ("--out_dir", __file__),
        ("--nonsense", "1"),
    ],
)
def test_wrong_flags_are_refused(refuse, flag, value):
    name = value if flag == "--out_dir" else flag
    refuse(train.main, "--out_dir", "out", flag, value, words=[name, value])


def test_runs_are_compared(straight_run, tmp_path, monkeypatch, few_images, capsys, refuse):
    textbook = "--textbook", HERE / "mnist_generator_textbook.pth"
    command = ["compare.py", straight_run, straight_run, "--template", straight_run, *textbook]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--out_dir", str(tmp_path / "out")])
    compare.main()
    rows = [row.split(",") for row in (straight_run / "quality.csv").read_text().splitlines()[1:]]
    last = float(rows[-1][2])
    printed = capsys.readouterr().out
    textbook_end = float(re.search(r"textbook loop: (\d+\.\d\d)\n", printed)[1])
    closer = [row[1] for row in rows if float(row[2]) < min(last, textbook_end)]
    assert f"our settings: {last:.2f}" in printed
    assert f"template's best: {closer[0] if closer else 'none'}\n" in printed
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"quality.png", "moments.png"}
    refuse(compare.main, straight_run, "--template", tmp_path, words=[tmp_path, "quality.csv"])
    refuse(compare.main, straight_run, *textbook, words=["--textbook", "--template"])


def test_a_grid_is_read_as_the_images_that_it_shows(tmp_path):
    images = load_mnist(train=False)[0][:25]
    save_grid(tmp_path / "grid.png", images)
    for grid in Image.open(tmp_path / "grid.png").convert("L"), compare.grid_of(images):
        torch.testing.assert_close(compare.images_of(grid), images, atol=0.01, rtol=0)


def test_the_benchmark_times_all_three_loops(monkeypatch, few_images, capsys):
    flags = ["benchmark.py", "--rounds", "1", "--n_steps", "2", "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", flags)
    monkeypatch.setattr(benchmark, "BATCHES", 3)
    benchmark.main()
    assert capsys.readouterr().out.count(" x textbook") == 6  # a step and an epoch of each


def test_the_ablation_changes_one_thing_and_repeats_nothing(
    tmp_path, monkeypatch, few_images, capsys
):
    monkeypatch.setattr(benchmark, "BATCHES", 3)
    flags = ["ablation.py", "--only", "defaults", "r1-0", "textbook", "--out_dir", str(tmp_path)]
    flags += ["--n_epochs", "1", "--n_images", "200", "--n_samples", "200", "--n_draws", "2"]
    flags += ["--seeds", "2"]
    monkeypatch.setattr(sys, "argv", flags)
    ablation.main()
    first = capsys.readouterr().out
    table = [row for row in first.splitlines() if row.startswith("| ")]
    assert [row.split()[1] for row in table[2:]] == ["defaults", "r1-0", "textbook"]
    settings = [row for row in first.splitlines() if row.startswith("n_epochs=1 n_images=200 b")]
    assert len(settings) == 4
    for i, setting in (1, "seed"), (2, "r1"):  # defaults, the same with the next seed; r1-0
        pairs = zip(settings[0].split(), settings[i].split(), strict=True)
        assert {a.split("=")[0] for a, b in pairs if a != b} == {setting, "out_dir"}
    monkeypatch.setattr(train, "train_step", None)  # a training would crash
    monkeypatch.setattr(benchmark.Textbook, "epoch", None)
    ablation.main()
    again = capsys.readouterr().out
    assert [row for row in again.splitlines() if row.startswith("| ")] == table
