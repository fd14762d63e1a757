"""Tests of studies/collapse.py, settings.py, circles.py: each change is what its name says."""

import copy
import functools
import math

import pytest
import torch
from PIL import Image

import train
from conftest import HERE
from gan import Discriminator, Generator
from judge import load_judge
from metrics import Comparison
from mnist import load_mnist
from studies import circles, collapse, runner, settings
from studies.collapse import CHANGES, Template
from studies.runner import RESULTS

ZERO = {"b1_g": 0.0, "b1_d": 0.0}
IMAGES = load_mnist()[0][:640]


def new_training(**changes):
    training = Template(3, **ZERO | changes)
    training.images = IMAGES
    return training


def weights_of(network):
    return torch.cat([w.detach().flatten() for w in network.parameters()])


@pytest.mark.parametrize(
    ("changes", "betas"),
    [({}, (0.9, 0.9)), (CHANGES["momentum"], (0.0, 0.9)), (CHANGES["delay 0"], (0.0, 0.0))],
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

    def step_generator():
        adam_g.zero_grad()
        bce(fake, 1.0).backward()
        adam_g.step()

    d_first = changes.get("d_first", False)
    for real in IMAGES[:96].split(64):
        fake = generator(torch.randn(len(real), 100, generator=rng))
        if not d_first:
            step_generator()
        adam_d.zero_grad()
        ((bce(real, 1.0) + bce(fake.detach(), 0.0)) / 2).backward()
        adam_d.step()
        if d_first:
            step_generator()
        training.train_step(real)
    for one, other in (generator, training.generator), (discriminator, training.discriminator):
        # Some differ: before BatchNorm, the gradient of a bias is nothing but rounding.
        assert ((weights_of(one) - weights_of(other)).abs() > 2e-5).double().mean() < 0.01


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
    assert settings.start("ours, no R1", 0).args.device == "cpu"


@pytest.mark.parametrize(("name", "late"), [("discriminator", "late"), ("generator", "late_g")])
def test_late_applies_the_gradient_of_some_steps_ago(name, late):
    first, *others = IMAGES[:320].split(64)
    plain, training = new_training(), new_training(**{late: 3})
    network = getattr(training, name)
    start = weights_of(network)
    plain.train_step(first)
    for real in first, *others[:2]:
        training.train_step(real)
        assert torch.equal(weights_of(network), start)
    training.train_step(others[2])
    moved = weights_of(getattr(plain, name))
    assert torch.equal(weights_of(network), moved), "not the first step's gradient"


def test_the_mean_is_of_nine_batches_at_the_same_weights_and_generator():
    mean, plain = new_training(mean=9), new_training()
    for real in IMAGES.split(64):
        mean.train_step(real)
        plain.train_step(real)
    start = weights_of(plain.discriminator)
    assert torch.equal(weights_of(mean.discriminator), start), "ten steps along one gradient"
    # The textbook: the gradients of nine batches, with fakes of the generator before its step.
    real, rng = IMAGES[:64], mean.rng.clone_state()
    plain.rng = rng
    fake = plain.fakes(64)
    others, other_fakes = plain.further_images(8)
    pairs = [(real, fake.detach()), *zip(others.split(64), other_fakes.split(64), strict=True)]
    gradients = [plain.discriminator_gradient(*pair) for pair in pairs]
    seconds = [plain.adam_d.state[w]["exp_avg_sq"] for w in plain.discriminator.parameters()]
    expected = []
    for second, *own in zip(seconds, *gradients, strict=True):
        moment = (0.999 * second + 0.001 * own[0].square()) / (1 - 0.999**11)
        expected.append((2e-4 * torch.stack(own).mean(0) / (moment.sqrt() + 1e-8)).flatten())
    mean.train_step(real)
    moved = start - weights_of(mean.discriminator)
    torch.testing.assert_close(moved, torch.cat(expected), atol=2e-6, rtol=1e-2)


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


@pytest.mark.parametrize(
    ("study", "experiment"), [(collapse, "delay 10"), (settings, "ours, momentum 0.9")]
)
def test_a_row_is_that_of_a_training_with_its_own_change(monkeypatch, study, experiment):
    comparison = Comparison(load_judge(), IMAGES)
    monkeypatch.setattr(collapse, "compare_with_mnist", lambda: comparison)
    tiny = functools.partial(collapse.measure_training, n_images=640, n_samples=200)
    monkeypatch.setattr(study, "measure_training", tiny)
    monkeypatch.setitem(study.SETTINGS, experiment, (study.SETTINGS[experiment][0], 2))
    rows = study.measure((experiment, 1))
    if study == settings:
        training = train.Training(train.parse_args(["--seed=1", "--b1=0.9"]))
    else:
        training = Template(1, **ZERO, late=9)
    for row in rows:
        for real in training.batches(IMAGES):
            training.train_step(real)
        samples = collapse.draw_samples(training.final_generator(), 200, train.MEASURE_SEED)
        quality = comparison.quality(samples)
        assert {name: row[name] for name in quality} == quality
    assert [(row["experiment"], row["seed"], row["epoch"]) for row in rows] == [
        (experiment, 1, epoch) for epoch in (1, 2)
    ]


def test_the_discriminator_steps_first_on_the_fakes_that_the_generator_then_learns_from():
    training = settings.start(f"{settings.D_FIRST}, our rates", 3)
    training.args.lr_d = training.optimizer_d.param_groups[0]["lr"] = 0.1
    rng, generator, old = (
        training.rng.clone_state(),
        copy.deepcopy(training.generator),
        copy.deepcopy(training.discriminator),
    )
    training.args.r1 = 0
    training.train_step(IMAGES[:64])
    fake = generator(torch.randn(training.args.fakes, 100, generator=rng))
    d_loss = collapse.discriminator_loss(old(IMAGES[:64]), old(fake))
    g_loss = collapse.generator_loss(training.discriminator(fake))  # the updated one
    for network, loss, weights in (
        (training.discriminator, d_loss, old.parameters()),
        (training.generator, g_loss, generator.parameters()),
    ):
        expected = torch.autograd.grad(loss, [*weights], retain_graph=True)
        torch.testing.assert_close([w.grad for w in network.parameters()], [*expected])


def rows_of(experiment, seed, distances, shares):
    return [
        {"experiment": experiment, "seed": seed, "epoch": epoch, "frechet_distance": distance}
        | {"confident": 0.3, "commonest_digit": share}
        for epoch, (distance, share) in enumerate(zip(distances, shares, strict=True), start=1)
    ]


def test_the_table_shows_what_the_rows_say():
    rows = rows_of("delay 10", 0, [9] * 5 + [10] * 4 + [20], [1, *[0.2499] * 9])
    rows += rows_of("delay 10", 1, [9] * 5 + [100] * 4 + [300], [1] * 9 + [0.25])
    (line,) = collapse.collapse_table(rows)
    expected = ["delay 10", 2, "12 to 140", "1 to 10", "1 of 2", 10, "20 to 300", "25"]
    assert [*line.values()] == expected


def test_a_row_of_the_momentum_table_differs_in_the_generators_momentum_alone():
    template = {"b1_g": 0.9, "b1_d": 0.9}
    for one, other in collapse.PAIRS.values():
        assert template | CHANGES[one] | {"b1_g": 0.9} == template | CHANGES[other]
    names = [name for pair in collapse.PAIRS.values() for name in pair]
    rows = [row for n, name in enumerate(names) for row in rows_of(name, 0, [n] * 10, [n / 9] * 10)]
    lines = [[*line.values()] for line in collapse.momentum_table(rows)]
    assert lines[1] == ["mean of nine batches", "2", "0 of 1", "3", "1 of 1"]
    assert [line[1] for line in lines] == ["0", "2", "4", "6"]


STUDIES = {  # {study: its tables and figures}
    "circles": ["circles.csv", "circles_toy.csv", "circles.png"],
    "collapse": ["collapse.csv", "momentum.csv", "delay.png"],
    "settings": ["settings.csv"],
    "template": ["template.png"],
}


@pytest.mark.parametrize("study", STUDIES)
def test_the_committed_rows_are_those_of_the_report_and_give_its_files(
    call, tmp_path, monkeypatch, study
):
    found = {}

    def look(name, doc, settings, seeds, measure, show):
        found["settings"] = settings
        found["jobs"] = [(name, seed) for name, own in seeds.items() for seed in own]

    with monkeypatch.context() as patch:
        patch.setattr(runner, "study", look)
        call(f"studies.{study}")
    jobs = runner.read_rows(RESULTS / f"{study}_rows.jsonl", found["settings"])
    assert [*jobs] == found["jobs"]
    if study in ("collapse", "settings"):
        for (experiment, _), own in jobs.items():
            later = range(15, found["settings"][experiment][1] + 1, 5)
            assert [row["epoch"] for row in own] == [*range(1, 11), *later]
    monkeypatch.setattr(runner, "run_jobs", lambda function, jobs, n: map(pytest.fail, jobs))
    call(f"studies.{study}", "--out_dir", tmp_path)
    made = {*tmp_path.iterdir()}
    assert {file.name for file in made} == {*STUDIES[study]}
    for file in made:
        if file.suffix == ".csv":
            assert file.read_bytes() == (RESULTS / file.name).read_bytes()
        else:
            now, shown = Image.open(file), Image.open(HERE.parent / "pics" / file.name)
            assert now.text["Rows"] == shown.text["Rows"]


# circles.py


def test_the_gan_of_two_numbers_follows_its_losses():
    theta, psi = (torch.tensor(value, requires_grad=True) for value in (0.7, -0.4))
    path = circles.two_numbers(delay=0, n_steps=5)
    for step in range(5):  # the discriminator first, then the generator, by autograd
        theta, psi = (path[step, k].clone().requires_grad_() for k in range(2))
        d_loss = collapse.discriminator_loss(0 * psi, psi * theta)
        (slope,) = torch.autograd.grad(d_loss, psi)
        new_psi = (psi - 0.1 * slope).detach()
        (slope,) = torch.autograd.grad(collapse.generator_loss(new_psi * theta), theta)
        expected = torch.stack([theta - 0.1 * slope, new_psi])
        torch.testing.assert_close(path[step + 1], expected.detach())
    late = circles.two_numbers(delay=4)[-1000:, 0].abs().max().item()
    assert late == pytest.approx(math.sqrt(2 * 0.1 * 4), rel=0.05), "the law of the circle"


def test_a_push_that_leads_is_found():
    angles = torch.arange(200) * math.tau / 40  # a turn in 40 records
    images = torch.stack([angles.cos(), angles.sin()], dim=1)
    pushes = torch.stack([(angles + math.tau / 4).cos(), (angles + math.tau / 4).sin()], dim=1)
    found = {lag: circles.correlation(pushes, images, lag) for lag in range(-15, 16)}
    assert max(found, key=found.get) == 10
    assert found[10] == pytest.approx(1, abs=0.05)


def test_looking_at_a_training_changes_no_step():
    plain, looked_at = new_training(), new_training()
    z = torch.randn(64, 100, generator=torch.Generator().manual_seed(1))
    for real in IMAGES[:192].split(64):
        plain.train_step(real)
        looked_at.train_step(real)
        circles.look(looked_at, z)
    states = [t.generator.state_dict() | t.discriminator.state_dict() for t in (plain, looked_at)]
    torch.testing.assert_close(*states, atol=0, rtol=0)
