"""Tests of the committed results: they have today's settings, and give tables, figures, pages."""

from PIL import Image, ImageChops, ImageStat

from conftest import settings_for
from studies import gates, lengths, memory, runner, settings
from studies.settings import LONGER


def test_committed_rows_are_todays_and_make_the_tables_and_figures(call, tmp_path):
    for study in gates, lengths, memory, settings:
        name = study.__name__.removeprefix("studies.")
        jobs = [(key, seed) for key, (_, seeds) in study.EXPERIMENTS.items() for seed in seeds]
        rows, reasons = runner.read_rows(runner.RESULTS / f"{name}_rows.jsonl", study.EXPERIMENTS)
        assert ([*rows], reasons) == (jobs, {})
        call(study.__name__, "--out_dir", tmp_path)
    tables = {path.name for path in runner.RESULTS.glob("*.csv")} - {"proof.csv", "proof_seeds.csv"}
    figures = {"accuracy.png", "memory.png"}
    assert {path.name for path in tmp_path.iterdir()} == tables | figures
    for made in tmp_path.iterdir():
        if made.suffix == ".csv":
            assert made.read_bytes() == (runner.RESULTS / made.name).read_bytes(), made.name
        else:
            now, shown = (Image.open(path).convert("L") for path in (made, runner.PICS / made.name))
            assert now.size == shown.size, made.name
            assert ImageStat.Stat(ImageChops.difference(now, shown)).mean[0] < 2, made.name


def test_every_table_on_the_pages_has_the_cells_of_its_csv(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("pathlib.Path.write_text", lambda path, text, **_: written.append(text))
    runner.put_in_place(tmp_path)
    assert written == [page.read_text(encoding="utf-8") for page in runner.PAGES]
    assert all("results/accuracy.csv -->\n| T | network |" in text for text in written)


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    report = " ".join(runner.PAGES[0].read_text(encoding="utf-8").split())
    lstm, rnn, template = settings_for("lstm"), settings_for("rnn"), settings_for("lstm", LONGER)
    for cells in (
        f"({lstm['input_dim']} inputs) | scalar ({template['input_dim']} input) |",
        f"between 1 and 100 (Tallec & Ollivier 2018) | {template['bf']:g} |",
        f"LSTM {lstm['learning_rate']} after a warm-up of {lstm['warmup']} steps, RNN "
        f"{rnn['learning_rate']}; both fall to zero over {lstm['train_steps']} steps | "
        f"{template['learning_rate']}, constant for {template['train_steps']:,} steps |",
    ):
        assert cells in report
    assert rnn["warmup"] == template["warmup"] == 0
