"""Tests of studies/collapse.py: each change is what its name says."""

import pytest
import torch
from PIL import Image

import train
from conftest import HERE
from gan import Discriminator, Generator
from judge import load_judge
from metrics import Comparison
from mnist import load_mnist
from studies import collapse
from studies.collapse import CHANGES, EPOCHS, OURS, SEEDS, SETTINGS, Template
from studies.runner import RESULTS, read_rows

ZERO = {"b1_g": 0.0, "b1_d": 0.0}
IMAGES = load_mnist()[0][:640]


def new_training(**changes):
    training = Template(3, **ZERO | changes)
    training.images = IMAGES
    return training


def weights_of(training):
    return torch.cat([w.detach().flatten() for w in training.discriminator.parameters()])


@pytest.mark.parametrize(
    ("changes", "betas"), [({}, (0.9, 0.9)), (CHANGES["momentum"], (0.0, 0.9))]
)
def test_the_template_trains_as_a_textbook_does(changes, betas):
    training = Template(3, **changes)
    torch.manual_seed(3)
    networks = Generator(), Discriminator()
    generator, discriminator = networks
    adam_g, adam_d = (
        torch.optim.Adam(network.parameters(), 0.0002, (beta, 0.999))
        for network, beta in zip(networks, betas, strict=True)
    )
    rng = torch.Generator().manual_seed(3)

    def bce(images, target):
        probabilities = torch.sigmoid(discriminator(images))
        return torch.nn.BCELoss()(probabilities, torch.full((len(images), 1), target))

    for real in IMAGES[:96].split(64):
        fake = generator(torch.randn(len(real), 100, generator=rng))
        adam_g.zero_grad()
        bce(fake, 1.0).backward()
        adam_g.step()
        adam_d.zero_grad()
        ((bce(real, 1.0) + bce(fake.detach(), 0.0)) / 2).backward()
        adam_d.step()
        training.train_step(real)
    for one, other in (generator, training.generator), (discriminator, training.discriminator):
        a, b = (torch.cat([w.flatten() for w in network.parameters()]) for network in (one, other))
        # Some differ: before BatchNorm, the gradient of a bias is nothing but rounding.
        assert ((a - b).abs() > 2e-5).double().mean() < 0.01


def test_rates_units_and_the_seed_arrive():
    training = Template(5, b1_g=0.1, b1_d=0.2, lr_g=0.3, lr_d=0.4, units=32)
    groups = [adam.param_groups[0] for adam in (training.adam_g, training.adam_d)]
    assert [(group["lr"], group["betas"][0]) for group in groups] == [(0.3, 0.1), (0.4, 0.2)]
    assert [w.shape[0] for w in training.discriminator.parameters()] == [32, 32, 16, 16, 1, 1]
    torch.manual_seed(5)
    assert torch.equal(Generator().layers[0].weight, training.generator.layers[0].weight)
    assert training.rng.initial_seed() == 5


def test_our_settings_are_trained_on_the_cpu_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert train.parse_args([]).device == "cuda"
    assert collapse.start("ours, no R1", 0).args.device == "cpu"


def test_late_applies_the_gradient_of_some_steps_ago():
    first, *others = IMAGES[:320].split(64)
    plain, late = new_training(), new_training(late=3)
    start = weights_of(late)
    plain.train_step(first)
    for real in first, *others[:2]:
        late.train_step(real)
        assert torch.equal(weights_of(late), start)
    late.train_step(others[2])
    assert torch.equal(weights_of(late), weights_of(plain)), "not the first step's gradient"


def test_smooth_steps_along_the_mean_and_not_before_the_moments_are_of_ten_gradients(monkeypatch):
    plain, smooth = new_training(), new_training(smooth=9)
    for real in IMAGES.split(64):
        plain.train_step(real)
        smooth.train_step(real)
    assert torch.equal(weights_of(plain), weights_of(smooth)), "ten steps along one gradient"
    start = weights_of(plain)
    seen = []

    def opposite(training, n_batches):
        seen.append(n_batches)
        return torch.zeros(1), torch.zeros(1)

    gradient = Template.discriminator_gradient

    def look(training, real, fake):
        if len(real) > 1:
            return gradient(training, real, fake)
        for weight in training.discriminator.parameters():
            weight.grad = -weight.grad
        return None

    monkeypatch.setattr(Template, "further_images", opposite)
    monkeypatch.setattr(Template, "discriminator_gradient", look)
    plain.train_step(real)
    smooth.train_step(real)  # the mean of one gradient and eight that are its opposite
    steps = [weights_of(training) - start for training in (smooth, plain)]
    assert seen == [8]
    torch.testing.assert_close(steps[0], -7 / 9 * steps[1], atol=1e-6, rtol=0)


def test_no_weight_of_smooth_moves_by_many_rates_in_a_step():
    smooth = new_training(smooth=9)
    for real in IMAGES.repeat(2, 1, 1, 1).split(64):
        before = weights_of(smooth)
        smooth.train_step(real)
        assert (weights_of(smooth) - before).abs().max() < 40 * 2e-4


def test_further_steps_see_other_images_and_fakes_of_today(monkeypatch):
    training, seen = new_training(d_steps=3), []
    gradient = Template.discriminator_gradient

    def look(self, real, fake):
        seen.append((real, fake))
        return gradient(self, real, fake)

    monkeypatch.setattr(Template, "discriminator_gradient", look)
    training.train_step(IMAGES[:64])
    training.train_step(IMAGES[64:128])
    assert len(seen) == 6, "three steps of the discriminator for each of the generator's"
    for some in zip(*seen, strict=True):  # all real images, all fakes
        assert len({images.sum().item() for images in some}) == 6
    assert not any(fake.requires_grad for _, fake in seen)
    real, fake = training.further_images(2)
    assert real.shape == fake.shape == (128, 1, 28, 28)
    assert len({image.sum().item() for image in fake}) == 128, "one batch of fakes, twice"


@pytest.mark.parametrize("experiment", ["late 9", "ours, momentum"])
def test_a_row_is_that_of_a_training_with_its_own_change(monkeypatch, experiment):
    labels_read_by = Comparison(load_judge(), IMAGES)
    monkeypatch.setattr(collapse, "compare_with_mnist", lambda: labels_read_by)
    rows = collapse.measure((experiment, 1), n_images=640, n_epochs=2, n_samples=200)
    if experiment in OURS:
        training = train.Training(train.parse_args(["--seed=1", "--b1=0.9"]))
    else:
        training = Template(1, **ZERO, late=9)
    for row in rows:
        for real in training.batches(IMAGES):
            training.train_step(real)
        samples = collapse.draw_samples(training.final_generator(), 200, train.MEASURE_SEED)
        quality = labels_read_by.quality(samples)
        assert {name: row[name] for name in quality} == quality
    assert [(row["experiment"], row["seed"], row["epoch"]) for row in rows] == [
        (experiment, 1, epoch) for epoch in (1, 2)
    ]


def test_the_committed_rows_are_of_todays_experiments():
    jobs = read_rows(RESULTS / "collapse_rows.jsonl", SETTINGS)
    assert [*jobs] == [(name, seed) for name, seeds in SEEDS.items() for seed in seeds]
    for (experiment, _), own in jobs.items():
        later = range(15, EPOCHS.get(experiment, 10) + 1, 5)
        assert [row["epoch"] for row in own] == [*range(1, 11), *later]


def rows_of(experiment, seed, distances, shares):
    return [
        {"experiment": experiment, "seed": seed, "epoch": epoch, "frechet_distance": distance}
        | {"confident": 0.3, "commonest_digit": share}
        for epoch, distance, share in zip((5, 6, 10), distances, shares, strict=True)
    ]


def test_the_table_and_the_figure_show_what_the_rows_say():
    rows = rows_of("late 9", 0, (9, 10, 20), (1, 0.25, 0.2499))
    rows += rows_of("late 9", 1, (9, 100, 300), (1, 1, 0.25))
    (line,) = collapse.collapse_table(rows)
    expected = ["late 9", "15 to 200", "1 of 2", "6 to 10 of 10", "20 to 300"]
    assert [*line.values()] == expected
    rows = [
        row
        for n, ticks in enumerate(collapse.PANELS.values())
        for m, name in enumerate(ticks.values())
        for row in rows_of(name, 0, (1, 100 * n + m + 1, 100 * n + m + 1), (1, 1, m / 4))
        if n == 0 or name != "no momentum"
    ] + rows_of("late 9, five steps", 0, (1, 3.5, 3.5), (1, 1, 0))
    for n, axes in enumerate(collapse.collapse_figure(rows).axes):
        dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
        found = [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots]
        heights = [1, *(100 * n + m + 1 for m in range(1, [5, 4, 3][n]))]
        assert found == [*enumerate(heights), *([(4, 3.5)] if n == 0 else [])]
        filled = [line.get_markerfacecolor() != "white" for line in dots]
        assert filled == [m > 0 for m in range(len(heights))] + [False] * (n == 0)


def test_a_row_of_the_momentum_table_differs_in_the_generators_momentum_alone():
    template = {"b1_g": 0.9, "b1_d": 0.9}
    for one, other in collapse.PAIRS.values():
        assert template | CHANGES[one] | {"b1_g": 0.9} == template | CHANGES[other]
    names = [name for pair in collapse.PAIRS.values() for name in pair]
    rows = [
        row for n, name in enumerate(names) for row in rows_of(name, 0, (9, n, n), (1, 1, n / 9))
    ]
    lines = [[*line.values()] for line in collapse.momentum_table(rows)]
    assert lines[1] == ["mean of nine batches", "2", "0 of 1", "3", "1 of 1"]
    assert [line[1] for line in lines] == ["0", "2", "4", "6"]


def test_tables_and_figure_come_out_of_the_committed_rows(call, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.runner.run_jobs", lambda function, jobs, n: map(pytest.fail, jobs))
    call("studies.collapse", "--out_dir", tmp_path)
    for table in "collapse", "momentum", "settings":
        made, known = (folder / f"{table}.csv" for folder in (tmp_path, RESULTS))
        assert made.read_bytes() == known.read_bytes()
    made, shown = (Image.open(at / "collapse.png").text for at in (tmp_path, HERE.parent / "pics"))
    assert made["Rows"] == shown["Rows"]
