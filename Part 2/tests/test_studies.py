"""Tests of the studies: their rows and tables, and the pages that show them."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
import torch

import latent
import train
from common import load, read_csv
from conftest import columns_of, lines_of
from gan import Generator
from mnist import load_mnist
from studies import ablations, chase, collapse, quality, runner
from studies.runner import RESULTS


@pytest.mark.parametrize("study", [collapse, chase, ablations])
def test_committed_rows_are_those_of_the_report_and_give_its_tables(call, tmp_path, study):
    name = study.__name__.removeprefix("studies.")
    jobs = runner.jobs_of(study.EXPERIMENTS)
    for line, (experiment, own, seed) in zip(lines_of(name), jobs, strict=True):
        assert (line["experiment"], line["seed"], line["settings"]) == (experiment, seed, own)
        if "epoch" in line["columns"]:
            epochs, last = range(own["measured_from"], own["n_epochs"] + 1), own["n_epochs"]
            assert line["columns"]["epoch"] == [n for n in epochs if train.is_measured(n, last)]
        if experiment.startswith("stale fakes"):
            steps = own["changes"].get("stale_fakes", 1)
            assert steps == int(experiment.split()[2]), "what its name says"
    call(study.__name__, "--out_dir", tmp_path)
    for table in tmp_path.glob("*.csv"):
        assert table.read_bytes() == (RESULTS / table.name).read_bytes()


def test_the_table_to_the_end_has_a_row_for_each_run():
    rows = read_csv(RESULTS / "template.csv")
    for row in rows:
        name, seed = row["run"].split(", seed ")
        columns = columns_of("collapse", name)[int(seed)]
        assert row["distance after 200 epochs"] == f"{columns['frechet_distance'][-1]:.0f}"
        share = f"{100 * columns['most_common_digit'][-1]:.0f}"
        assert row["most common digit, %, after 200 epochs"] == share
    assert len(rows) == 9


def test_a_cell_of_the_evaluation_is_a_mean_and_a_range_in_its_unit(monkeypatch):
    one = {"frechet_distance": 1.234, "confident": 0.9123, "most_common_digit": 0.1182}
    one |= {"specks": 0.0261, "effective_rank": 28.7}
    known = SimpleNamespace(quality=lambda n: {name: n * value for name, value in one.items()})
    monkeypatch.setattr(quality, "compare_with_mnist", lambda: known)
    _, *titles = read_csv(RESULTS / "runs.csv")[0]
    texts = "1.23", "91.2", "11.8", "2.6", "29"
    assert quality.cells([1]) == dict(zip(titles, texts, strict=True))
    assert quality.cells([2, 1, 6])["specks, %"] == "7.8 (2.6 to 15.7)"


def test_real_images_samples_of_the_committed_generator_and_noise_are_evaluated(monkeypatch):
    monkeypatch.setattr(quality, "N_SAMPLES", 10)
    monkeypatch.setattr(quality, "cells", lambda sets: {"sets": [*sets]})
    real, ours, noise = quality.evaluation()["evaluation.csv"]
    (images,), unseen = real["sets"], load_mnist(train=False)[0]
    assert torch.equal(images.sum((1, 2, 3)).sort()[0], unseen.sum((1, 2, 3)).sort()[0])
    assert not torch.equal(images, unseen), "the first ones are easier"
    generator = load(latent.COMMITTED, Generator.from_state_dict)
    expected = [latent.draw_samples(generator, 10, seed) for seed in range(5000, 5005)]
    torch.testing.assert_close(ours["sets"], expected, atol=0, rtol=0)
    (images,) = noise["sets"]
    assert images.shape == (10, 1, 28, 28)
    assert (images.min(), images.mean(), images.max()) == pytest.approx((-1, 0, 1), abs=0.02)


def test_the_report_takes_finished_runs_of_its_weights_and_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "RESULTS", tmp_path)
    monkeypatch.setattr(quality, "COMMITTED", tmp_path / "committed.pth")
    monkeypatch.setattr(quality, "sample_sets", Path.read_text)
    monkeypatch.setattr(quality, "cells", lambda weights: {"weights": weights})
    monkeypatch.setattr(quality, "save_shown", lambda shown, *_: sys.exit(f"saved: {shown}"))
    (tmp_path / "committed.pth").write_text("W")
    for name in "images", "grids":
        (tmp_path / name).mkdir()
    for batch in quality.MOMENTS.values():
        (tmp_path / "images" / f"{batch}.png").write_text(f"grid {batch}")
    settings = train.settings_of(train.parse_args([])) | {"seed": 4, "save_interval": 500}
    epochs = [{"epoch": n, "d_loss": n / 7} for n in range(1, 81)]
    for changed, n_done, weights, told in (
        ({}, 79, "W", "only 79 of 80 epochs are done"),
        ({"lr": 0.1}, 80, "W", "the report shows only training runs with train.py's defaults"),
        ({}, 80, "X", "the first run must have made the committed weights"),
        ({}, 80, "W", re.escape("{'runs.csv': [{'seed': 4, 'weights': 'W'}]}")),
    ):
        content = {"settings": settings | changed, "losses": epochs[:n_done], "quality": epochs[9:]}
        torch.save(content, tmp_path / "checkpoint.pt")
        (tmp_path / "mnist_generator.pth").write_text(weights)
        with pytest.raises(SystemExit, match=rf"\A({tmp_path}|saved): {told}\Z"):
            quality.save_runs([tmp_path], tmp_path, report=True)
    rows = [{"seed": "4", "epoch": str(n), "d_loss": str(n / 7)} for n in range(1, 81)]
    assert (read_csv(tmp_path / "losses.csv"), read_csv(tmp_path / "quality.csv")) == (
        rows,
        rows[9:],
    )
    assert (tmp_path / "grids" / "37520.png").read_text() == "grid 37520"


def test_every_link_leads_to_a_file_and_every_table_has_the_cells_of_its_csv(tmp_path, monkeypatch):
    for page in runner.PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / unquote(link)).exists(), link
    written = []
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, **_: written.append(text))
    runner.save_shown({}, tmp_path, report=True)
    assert written == [page.read_text(encoding="utf-8") for page in runner.PAGES]
    assert "results/evaluation.csv -->\n| images |" in written[1]
    for text in written:
        assert not re.search(r"\|\n\n\|(?!.*\n\|-)", text), "a blank line tears a table"


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    report = runner.PAGES[0].read_text(encoding="utf-8")
    ours, template = train.parse_args([]), train.parse_args(["--preset", "template"])
    for row in (
        f"| epochs | {template.n_epochs} | {ours.n_epochs} |",
        f"{ours.batch_size} real images per step",
        f"| fakes per step | {template.fakes} | {ours.fakes} |",
        f"momentum (β₁) | {template.b1} | {ours.b1:g} |",
        f"| learning rates | {template.lr} | from {ours.lr} to {ours.lr / 2} over {ours.halving} ",
        f"| D's small CNN | none | {ours.channels} channels |",
        f"every {ours.r1_every} steps, {ours.r1_every} · {ours.r1} · E",
        f"decay min({ours.ema}, (1 + n) / (10 + n))",
    ):
        assert row in report
    assert (template.channels, template.r1, template.ema, template.halving) == (0, 0, 0, 0)
