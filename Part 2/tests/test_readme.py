"""Tests of the reports: their links, figures, commands and quoted numbers are right."""

import csv
import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from gan import Discriminator, Generator

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
REPORTS = [TOP / "README.md", TOP / "Part 1" / "README.md", TOP / "Part 2" / "README.md"]
each_report = pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.parent.name)


def read(path):
    """Return a report on one line, so that a line break hides nothing."""
    return " ".join(path.read_text().split())


def anchors(path):
    """Return the anchors of a report's headings, as repository pages name them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_report
def test_every_link_leads_to_a_file_and_a_heading_that_exist(report):
    links = re.findall(r"\]\(([^)]+)\)", report.read_text())
    assert links
    for link in links:
        file, _, anchor = unquote(link).partition("#")
        target = (report.parent / file).resolve() if file else report
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_figure_is_shown_and_numbered_in_the_report():
    shown = {
        name for path in REPORTS for name in re.findall(r"!\[[^]]*\]\(\S*pics/(\S+)\)", read(path))
    }
    assert shown == {path.name for path in (TOP / "pics").iterdir()}
    captions = re.findall(r"^\*Figure (\d+)\. ", REPORTS[0].read_text(), re.MULTILINE)
    assert captions == [str(n) for n in range(1, REPORTS[0].read_text().count("![") + 1)]


def flags_of(script):
    """Return the flags that a script's source names, and those of common.py."""
    sources = script.read_text(), (script.parent / "common.py").read_text()
    return {"--help", *(flag for source in sources for flag in re.findall(r'"(--\w+)"', source))}


@each_report
def test_every_command_has_only_flags_that_its_script_knows(report):
    known = {script: flags_of(script) for script in TOP.glob("Part */*.py")}
    anyones = set().union(*known.values())
    blocks = re.findall(r"```sh\n(.*?)```", report.read_text(), re.DOTALL)
    assert blocks
    for code in blocks:
        for command in re.split(r"\n|&&|;", code):
            named = re.search(r'"?(Part \d/\w+\.py)"?(.*)', command)
            if named:
                script = TOP / named[1]
                assert script in known, command
                assert set(re.findall(r"--\w+", named[2])) <= known[script], command
    spans = " ".join(re.findall(r"`([^`]+)`", read(report).replace("```", "")))
    assert set(re.findall(r"--[a-z]\w+", spans)) <= anyones


def test_the_task_table_names_each_task():
    rows = re.findall(r"\| (Part I, Task [12]|Part II, Task [123]|Report)\b", read(REPORTS[0]))
    tasks = ["Part I, Task 1", "Part I, Task 2", *(f"Part II, Task {n}" for n in (1, 2, 3))]
    assert sorted(rows) == sorted([*tasks, "Report"])


def rows_of(path):
    """Return the rows of a csv file."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def quoted(row):
    """Return three cells of a table, as the reports quote a row of quality.csv."""
    distance, score = float(row["frechet_distance"]), float(row["inception_score"])
    return f"| {distance:.2f} | {score:.2f} | {100 * float(row['confident']):.1f} % |"


def test_numbers_quoted_from_committed_files_are_theirs():
    report, part_1, part_2 = map(read, REPORTS)
    for network in "rnn", "lstm":
        weights = (TOP / "Part 1" / f"palindrome_{network}.pth").read_bytes()
        assert hashlib.sha256(weights).hexdigest() in part_1
    for player in Generator(), Discriminator():
        assert f"{sum(p.numel() for p in player.parameters()):,} weights" in report
    for path in HERE.glob("quality_*.csv"):
        *_, last = rows_of(path)
        assert quoted(last) in part_2
    rows = rows_of(HERE / "quality.csv")
    for row in rows:
        if row["epoch"] in ("1", "2", "3", "4", "5", "10", "50", "100", "200"):
            assert f"| {row['epoch']} {quoted(row)}" in part_2
    assert rows[-1]["epoch"] == "200"
    pairs = zip(
        rows_of(HERE / "quality_fakes64.csv"),
        rows_of(HERE / "quality_fakes64_no_r1.csv"),
        strict=True,
    )
    for row, without in pairs:
        if row["epoch"] in ("10", "20", "30", "50", "100", "150", "200"):
            distances = [f"{float(each['frechet_distance']):.2f}" for each in (row, without)]
            commonest = f"{100 * float(without['commonest_digit']):.1f} %"
            assert " | ".join([row["epoch"], *distances, commonest]) in part_2
