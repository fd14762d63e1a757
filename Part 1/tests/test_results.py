"""Tests of the committed results: they have today's settings, and give tables, figures, pages."""

import re

from PIL import Image, ImageChops, ImageStat

from conftest import settings_for
from studies import ablations, gates, lengths, memory, runner


def test_committed_rows_are_todays_and_make_the_tables_and_figures(call, tmp_path):
    for study in ablations, gates, lengths, memory:
        name = study.__name__.removeprefix("studies.")
        keys = [runner.key_of(*job[1:]) for job in runner.jobs_of(study.EXPERIMENTS)]
        assert runner.read_rows(runner.RESULTS / f"{name}.jsonl").keys() == {*keys}
        call(study.__name__, "--out_dir", tmp_path)
    (tmp_path / "settings.json").unlink()
    tables = {path.name for path in runner.RESULTS.glob("*.csv")} - {"proof.csv", "proof_seeds.csv"}
    figures = {"accuracy.png", "lengths.png", "memory.png"}
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
    runner.save_shown({}, tmp_path, report=True)
    assert written == [page.read_text(encoding="utf-8") for page in runner.PAGES]
    assert "results/accuracy.csv -->\n| T | network |" in written[0]
    for text in written:
        assert not re.search(r"\|\n\n\|(?!.*\n\|-)", text), "a blank line tears a table"


def test_the_settings_in_the_report_are_the_defaults_and_those_of_the_preset():
    report = runner.PAGES[0].read_text(encoding="utf-8")
    lstm, rnn = settings_for("lstm"), settings_for("rnn")
    template = settings_for("lstm", ablations.AS_TEMPLATE)
    for row in (
        f"| scalar, {template['input_dim']} number per digit | one-hot, {lstm['input_dim']} ",
        f"| learning rate | {template['learning_rate']}, constant | LSTM {lstm['learning_rate']}, "
        f"RNN {rnn['learning_rate']}, falling linearly to zero |",
        f"| steps | {template['train_steps']:,} | {lstm['train_steps']} |",
        f"{lstm['num_hidden']} hidden units; {lstm['batch_size']} palindromes per batch; ",
        f"norm {lstm['max_norm']:g}; ",
    ):
        assert row in report
    for name in "num_hidden", "batch_size", "max_norm":
        assert lstm[name] == template[name], "as in the template"
    assert (template["input_dim"], template["bf"], template["decay"]) == (1, 0, False)
    assert template["learning_rate"] == 0.001
