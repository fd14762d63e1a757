"""Tests of the pages: their links, figures, commands and tables are those of today."""

import csv
import re
from urllib.parse import unquote

import pytest

import train
from conftest import HERE

TOP = HERE.parent
PARTS = [TOP / "Part 1", TOP / "Part 2"]
PAGES = [TOP / "README.md", *(part / "studies" / "README.md" for part in PARTS)]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
IMAGE = re.compile(r'!\[[^]]*\]\(([^)]+)\)|<img [^>]*src="([^"]+)"')


def test_every_figure_is_shown_and_every_link_leads_to_a_file():
    shown = {"".join(match) for text in TEXTS.values() for match in IMAGE.findall(text)}
    assert {path.split("/")[-1] for path in shown} == {p.name for p in (TOP / "pics").iterdir()}
    for page, text in TEXTS.items():
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert (page.parent / unquote(link)).exists(), link


def test_every_command_has_only_flags_that_its_script_knows():
    commands = []
    for page, text in TEXTS.items():
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            commands += re.findall(r'"(Part \d)/(\w+)\.py"([^\n&]*)', block)
            (part,) = re.findall(r'cd "(Part \d)"', block) or [page.parents[1].name]
            modules = re.findall(r"-m studies\.(\w+)([^\n&]*)", block)
            commands += [(part, f"studies/{name}", flags) for name, flags in modules]
    assert len(commands) > 10
    for part, name, flags in commands:
        paths = [TOP / part / f"{file}.py" for file in (name, "common", "studies/runner")]
        known = "".join(path.read_text(encoding="utf-8") for path in paths)
        assert all(f'"{flag}"' in known for flag in re.findall(r"--\w+", flags)), name + flags


@pytest.mark.parametrize("page", [PAGES[0], PAGES[2]], ids=["report", "Part 2"])
def test_every_table_of_part_2_consists_of_cells_of_its_csv(page):
    prefix = "Part 2/studies/results/" if page == PAGES[0] else "results/"
    tables = re.findall(rf"<!-- ({prefix}\S+\.csv) -->\s*((?:\|.*\n?)+)", TEXTS[page])
    assert len(tables) == TEXTS[page].count(f"<!-- {prefix}") > 0
    for name, table in tables:
        rows = [*csv.DictReader((page.parent / name).read_text(encoding="utf-8").splitlines())]
        lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]
        for line in lines[2:]:
            assert line in [[row[column] for column in lines[0]] for row in rows], (name, line)


def test_the_settings_in_the_report_are_the_defaults_and_the_preset_with_what_they_do():
    ours, template = train.parse_args([]), train.parse_args(["--preset=template"])
    names = {  # {start of the row: (flags in ours, flags in the template, its training)}
        "nothing changed": ([], [], "ours"),
        "order": ([], [], "both at once"),
        "momentum": (["b1"], ["b1"], "momentum 0.9"),
        "learning rates": (["lr", "half", "halving"], ["lr_d"], "both rates 0.0002"),
        "real images": (["batch_size", "fakes"], ["batch_size", "fakes"], "64 fakes"),
        "R1": (["r1"], ["r1"], "no R1"),
        "averaging": (["ema"], ["ema"], "no averaging"),
        "all of these": ([], [], "template"),
    }
    every, rest = ours.r1_every, 1 - ours.ema
    r1 = f"every {every}th step, D's loss is larger by {every} * {ours.r1} * E"
    averaging = f"average <- {ours.ema} average + {rest:.4f} weights"
    assert r1 in TEXTS[PAGES[0]]
    assert averaging in TEXTS[PAGES[0]]
    ours.half = ours.lr_d / 2
    trainings = {}
    with open(HERE / "studies" / "results" / "settings.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            trainings[row["training"]] = row["distance after 10"]
    for start, (own, other, training) in names.items():
        (line,) = re.findall(rf"^\| {start}[^|]* \|(.*)\|$", TEXTS[PAGES[0]], re.MULTILINE)
        *cells, distance = (cell.strip() for cell in line.split("|"))
        for cell, args, flags in zip(cells, (ours, template), (own, other), strict=True):
            assert [float(n) for n in re.findall(r"[\d.]+\d|\d", cell)] == [
                getattr(args, flag) for flag in flags
            ], (start, cell)
        assert distance == trainings[training], start
