"""Tests of the three READMEs: their links, figures, commands, tables and numbers are right."""

import csv
import re
from urllib.parse import unquote

import pytest

import template
import train
from conftest import HERE

TOP = HERE.parent
REPORTS = [TOP / "README.md", TOP / "Part 1" / "README.md", TOP / "Part 2" / "README.md"]
TEXTS = {path: path.read_text(encoding="utf-8") for path in REPORTS}
each_report = pytest.mark.parametrize("report", REPORTS, ids=["top", "Part 1", "Part 2"])


def images_of(text):
    return re.findall(r"!\[[^]]*\]\(([^)]+)\)", text) + re.findall(r'<img [^>]*src="([^"]+)"', text)


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@each_report
def test_every_link_leads_to_a_file_and_a_heading_that_exist(report):
    for link in re.findall(r"\]\(([^)]+)\)", TEXTS[report]) + images_of(TEXTS[report]):
        file, _, anchor = unquote(link).partition("#")
        target = (report.parent / file).resolve() if file else report
        assert target.exists(), link
        headings = re.findall(r"^#+ (.*)$", TEXTS.get(target, ""), re.MULTILINE)
        anchors = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings]
        assert not anchor or anchor in anchors, link


def test_every_figure_is_shown_and_numbered_in_the_report():
    shown = {path.split("/")[-1] for text in TEXTS.values() for path in images_of(text)}
    assert shown == {path.name for path in (TOP / "pics").iterdir()}
    captions = re.findall(r"Figure (\d+)\. ", TEXTS[REPORTS[0]])
    assert captions == [str(n) for n in range(1, len(images_of(TEXTS[REPORTS[0]])) + 1)]


@each_report
def test_every_command_has_only_flags_that_its_script_knows(report):
    blocks = re.findall(r"```sh\n(.*?)```", TEXTS[report], re.DOTALL)
    assert blocks
    for name, flags in re.findall(r'(Part \d/\w+\.py)"?([^\n]*)', "\n".join(blocks)):
        others = ["common.py", "rows.py"]
        paths = [TOP / name, *((TOP / name).with_name(other) for other in others)]
        known = "".join(path.read_text(encoding="utf-8") for path in paths)
        assert all(f'"{flag}"' in known for flag in re.findall(r"--\w+", flags)), name + flags


@each_report
def test_every_table_of_results_holds_cells_of_its_csv(report):
    tables = re.findall(r"<!-- (\S.*?\.csv) -->\s*((?:\|.*\n?)+)", TEXTS[report])
    assert tables
    assert len(tables) == TEXTS[report].count(".csv -->")
    for name, table in tables:
        with open(report.parent / name, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        header, _, *lines = (cells_of(line) for line in table.splitlines())
        known = [[row[column] for column in header] for row in rows]
        for line in lines:
            assert line in known, (name, line)


@each_report
def test_every_decimal_in_prose_and_in_the_table_of_tasks_stands_in_another_table(report):
    lines = [line for text in TEXTS.values() for line in text.splitlines()]
    cells = " ".join(line for line in lines if re.match(r"\| (?!\[)", line))
    text = TEXTS[report].split("## References")[0]
    prose = re.sub(r"```.*?```|`[^`]*`|<!--.*?-->|\]\([^)]*\)", "", text, flags=re.DOTALL)
    prose = "\n".join(line for line in prose.splitlines() if re.match(r"(?!#|\| (?!\[))", line))
    prose = re.sub(r"(Python|PyTorch) [\d.]+", "", prose)
    for number in re.findall(r"\d+\.\d+", prose):
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", cells), number


def test_the_table_of_settings_has_the_numbers_of_the_code():
    flags = [
        *(("b1_d", "b1"), ("lr_d", "lr_d"), ("batch_size", "fakes")),
        *(("r1", "r1"), ("lr", "lr"), ("ema", "ema")),
    ]
    block = TEXTS[REPORTS[2]].split("\nsetting ")[1].split("```")[0].splitlines()[1:]
    for line, (theirs, own) in zip(block, flags, strict=True):
        settings = vars(template.parse_args([])).get(theirs, 0), vars(train.parse_args([]))[own]
        assert [float(cell) for cell in re.split("  +", line)[1:]] == [*settings], line
