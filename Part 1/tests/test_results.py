"""Tests of the committed results: tables and figures are those of the committed rows."""

import hashlib
import re

import pytest
from PIL import Image

import study_gates
import study_memory
import study_settings
import study_start
import train
from conftest import HERE

pytestmark = pytest.mark.skipif(not (HERE.parent / "pics").exists(), reason="this part alone")
STUDIES = {
    "accuracy": study_settings,
    "start": study_start,
    "memory": study_memory,
    "gates": study_gates,
}


@pytest.mark.parametrize("name", STUDIES)
def test_tables_and_figures_come_out_of_the_rows(name, call, tmp_path):
    rows = HERE / "results" / f"{name}_rows.csv"
    call(STUDIES[name].main, "--rows", rows, "--out_dir", tmp_path)
    made = [path.name for path in tmp_path.iterdir()]
    assert f"{name}.csv" in made or f"{name}_held.csv" in made
    for file in made:
        if file.endswith(".csv"):
            assert (tmp_path / file).read_bytes() == (HERE / "results" / file).read_bytes(), file
        else:
            now, shown = (Image.open(folder / file) for folder in (tmp_path, HERE.parent / "pics"))
            assert now.text["Rows"] == shown.text["Rows"], f"{file} shows other rows"
            assert now.size == shown.size, f"{file} was drawn by other code"


def test_the_hash_in_a_figure_is_that_of_its_csv():
    digest = hashlib.sha256((HERE / "results" / "memory_rows.csv").read_bytes()).hexdigest()
    assert Image.open(HERE.parent / "pics" / "memory.png").text["Rows"] == digest


def test_the_report_names_the_settings_that_the_code_has():
    report = (HERE.parent / "README.md").read_text(encoding="utf-8")
    args = train.parse_args([])
    for words in (
        f"{args.data_size:,} palindromes",
        f"{args.portion_train:.0%} train".replace("%", " %"),
        f"{args.num_hidden} hidden units",
        f"rate {args.learning_rate}, falling to zero",
        f"batches of {args.batch_size}",
        f"clipped to norm {args.max_norm:g}",
        f"{args.train_steps} steps",
    ):
        assert words in report.split("```\n")[3], words  # the block of settings
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for name, training in study_memory.TRAININGS.items():
        rate = f"{training.rate:g}" + ("" if training.decay else ", constant")
        cells = training.label, f"{training.size:,}", f"{training.steps:,}", rate
        assert re.search(r"\n" + "  +".join(map(re.escape, cells)) + r"[,\n]", page), name
