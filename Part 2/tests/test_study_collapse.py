"""Tests of study_collapse.py: each change is what its name says, and so are table and figure."""

import csv

import pytest
import torch
from PIL import Image

import study_collapse
import template
import train
from conftest import HERE
from mnist import load_mnist
from study_collapse import Late, ManySteps, Smooth


def new_training(build, **changes):
    args = template.parse_args(["--seed", "3", "--n_images", "640"])
    vars(args).update({"b1_g": 0.0, "b1_d": 0.0} | changes)
    training = build(args)
    training.images = load_mnist()[0][:640]
    return training


def weights_of(training):
    return torch.cat([w.detach().flatten() for w in training.discriminator.parameters()])


def test_late_applies_the_gradient_of_some_steps_ago():
    first, *others = load_mnist()[0][:320].split(64)
    plain, late = new_training(template.TemplateTraining), new_training(Late, late=3)
    start = weights_of(late)
    plain.train_step(first)
    for real in first, *others[:2]:
        late.train_step(real)
        assert torch.equal(weights_of(late), start)
    late.train_step(others[2])
    assert torch.equal(weights_of(late), weights_of(plain)), "not the first step's gradient"
    now = new_training(Late, late=0)
    now.train_step(first)
    assert torch.equal(weights_of(now), weights_of(plain))


def test_smooth_steps_along_the_mean_with_the_first_gradients_moments(monkeypatch):
    real = load_mnist()[0][:64]
    plain, smooth = new_training(template.TemplateTraining), new_training(Smooth, smooth=9)
    start = weights_of(plain)
    plain.train_step(real)

    def opposite(training, n_batches):
        assert n_batches == 8
        for weight in training.discriminator.parameters():
            weight.grad = -weight.grad

    monkeypatch.setattr(Smooth, "further_gradient", opposite)
    smooth.train_step(real)  # the mean of one gradient and eight that are its opposite
    steps = [weights_of(training) - start for training in (smooth, plain)]
    torch.testing.assert_close(steps[0], -7 / 9 * steps[1], atol=1e-6, rtol=0)


def test_further_gradients_are_of_other_images_and_of_fakes_of_today(monkeypatch):
    training, seen = new_training(ManySteps, d_steps=3), []
    gradient = template.TemplateTraining.discriminator_gradient

    def look(self, real, fake):
        seen.append((real, fake))
        return gradient(self, real, fake)

    monkeypatch.setattr(template.TemplateTraining, "discriminator_gradient", look)
    training.train_step(training.images[:64])
    training.train_step(training.images[64:128])
    assert len(seen) == 6, "three steps of the discriminator for each of the generator's"
    for some in zip(*seen, strict=True):  # all real images, all fakes
        assert len({images.sum().item() for images in some}) == 6
    assert all(real.shape == fake.shape == (64, 1, 28, 28) for real, fake in seen)
    assert not any(fake.requires_grad for _, fake in seen)


def test_a_row_is_that_of_a_training_with_its_own_change(call, tmp_path, monkeypatch):
    few = load_mnist()[0][:640], load_mnist()[1][:640]
    monkeypatch.setattr(train, "load_mnist", lambda *_: few)
    flags = "--n_epochs", 2, "--n_measured", 200, "--jobs", 1
    call(study_collapse.main, "--only", "late", "both", "--seeds", 2, *flags, "--out_dir", tmp_path)
    rows = list(csv.DictReader((tmp_path / "collapse_rows.csv").read_text().splitlines()))
    assert [(row["training"], row["seed"], row["epoch"]) for row in rows] == [
        (name, seed, epoch) for name in ("late", "both") for seed in "01" for epoch in "12"
    ]
    assert rows[0]["flags"] == "--b1_g 0.0 --b1_d 0.0 --late 9"
    assert rows[4]["flags"] == "--b1_g 0.0"
    assert len({row["frechet_distance"] for row in rows}) == 8
    args = template.parse_args([*map(str, flags[:4]), "--seed=1", "--b1_g=0"])
    args.out_dir = tmp_path / "alone"
    training = train.train(args, template.TemplateTraining)
    assert rows[7]["frechet_distance"] == str(training.quality[-1]["frechet_distance"])
    assert rows[7]["d_fake"] == str(training.losses[-1]["d_fake"])


def rows_of(name, seed, shares, distances):
    told = dict.fromkeys(("d_loss", "g_loss", "d_real"), 0.5) | {"d_fake": ""}
    return [
        {"training": name, "seed": seed, "epoch": epoch, **told}
        | {"commonest_digit": share, "frechet_distance": distance}
        for epoch, share, distance in zip((5, 6, 10, 50, 55), shares, distances, strict=True)
    ]


def test_the_table_and_the_figure_show_what_the_rows_say():
    rows = rows_of("late", 0, (1, 1, 0.25, 0.2499, 1), (9, 10, 20, 30, 99))
    rows += rows_of("late", 1, (1, 1, 1, 1, 0.2), (9, 100, 300, 40, 9))
    rows += rows_of("neither", 0, (0.3, 0.2, 0.1, 0.1, 0.1), (9, 1, 3, 2, 9))
    late, neither = study_collapse.table(rows)
    expected = [2, "15 to 200", "30 to 40", "", "10 to 50 of 50", "0.50", ""]
    assert [*late.values()] == ["late, not smooth", *expected]
    assert [*neither.values()][1:6] == [1, "2", "2", "", "5 of 50"]
    left, right = study_collapse.collapse_figure(rows).axes
    assert [line.get_ydata()[-1] for line in left.lines[:3]] == [25, 100, 10]
    colors = {text.get_text(): text.get_color() for text in left.texts}
    assert colors["late, not smooth"] == left.lines[0].get_color() == left.lines[1].get_color()
    assert colors["neither"] == left.lines[2].get_color()
    dots = {line.get_xdata()[0]: sorted(line.get_ydata()) for line in right.lines[:2]}
    assert dots == {0: [2], 9: [15, 200]}


@pytest.mark.parametrize("figure", ["collapse.png", "quality.png"])
def test_table_and_figures_come_out_of_the_committed_rows(call, tmp_path, figure):
    rows = HERE / "results" / "collapse_rows.csv"
    call(study_collapse.main, "--rows", rows, "--out_dir", tmp_path)
    for name in "collapse_rows.csv", "collapse.csv":
        assert (tmp_path / name).read_bytes() == (HERE / "results" / name).read_bytes()
    made, shown = (Image.open(folder / figure).text for folder in (tmp_path, HERE.parent / "pics"))
    assert made["Rows"] == shown["Rows"]


def test_a_damaged_table_is_refused_by_file_and_column(refuse, tmp_path):
    text = (HERE / "results" / "collapse_rows.csv").read_text(encoding="utf-8")
    head, line, *_ = text.splitlines()
    first = line.split(",")[4]  # the distance
    for content, word in (
        ("", "rows"),
        (head, "rows"),
        (text.replace("seed", "sead"), "seed"),
        (f"{head}\n{line.replace(first, 'nan')}", "frechet_distance"),
    ):
        (tmp_path / "rows.csv").write_text(content, encoding="utf-8")
        refuse(study_collapse.main, "--rows", "rows.csv", words=["rows.csv", word])
