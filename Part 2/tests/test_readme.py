"""Tests of the pages: their links, figures, commands and tables are those of today."""

import re
from urllib.parse import unquote

import pytest

import train
from common import read_csv
from conftest import HERE
from studies.runner import RESULTS

TOP = HERE.parent
PAGES = {"report": TOP / "README.md", "Part 2": HERE / "studies" / "README.md"}
TEXTS = {name: page.read_text(encoding="utf-8") for name, page in PAGES.items()}
OF_PART_2 = TEXTS["report"].partition("## Part II")[2] + TEXTS["Part 2"]


def test_every_link_leads_to_a_file_and_every_figure_of_a_study_is_shown():
    for name, page in PAGES.items():
        for link in re.findall(r"\]\(([^)#]+)", TEXTS[name]):
            assert link.startswith("http") or (page.parent / unquote(link)).exists(), link
    shown = {path.split("/")[-1] for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", OF_PART_2)}
    assert shown >= {"moments.png", "distance.png", "interpolation.png", "stale.png"}


def test_commands_have_only_flags_that_the_scripts_know():
    known = "".join(path.read_text(encoding="utf-8") for path in HERE.rglob("*.py"))
    lines = [line for line in TEXTS["report"].splitlines() if 'python "Part 2/' in line]
    lines += re.findall(r".*python -m studies.*", TEXTS["Part 2"])
    flags = re.findall(r"--\w+", " ".join(lines))
    assert {"--resume", "--only"} <= {*flags}
    assert [flag for flag in flags if f'"{flag}"' not in known] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_table_of_part_2_consists_of_cells_of_its_csv(page):
    prefix = "Part 2/studies/results/" if page == "report" else "results/"
    tables = re.findall(rf"<!-- ({prefix}\S+\.csv) -->\s*((?:\|.*\n?)+)", TEXTS[page])
    assert len(tables) == TEXTS[page].count(f"<!-- {prefix}") > 0
    for name, table in tables:
        rows = read_csv(PAGES[page].parent / name)
        lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]
        for line in lines[2:]:
            assert line in [[row[column] for column in lines[0]] for row in rows], (name, line)


def test_the_settings_in_the_report_are_the_defaults_and_the_preset_with_what_they_do():
    ours, template = (vars(train.parse_args(flags)) for flags in ([], ["--preset=template"]))
    ours["half"] = ours["lr_d"] / 2
    distances = {row["training"]: row for row in read_csv(RESULTS / "settings.csv")}
    for start, own_flags, template_flags, training in (
        ("nothing changed", [], [], "our training"),
        ("order", [], [], "simultaneous updates"),
        ("momentum", ["b1"], ["b1"], "momentum 0.9"),
        ("learning rates", ["lr", "half", "halving"], ["lr_d"], "both rates 0.0002"),
        ("real images", ["batch_size", "fakes"], ["batch_size", "fakes"], "64 fakes"),
        ("R1", ["r1"], ["r1"], "no R1"),
        ("EMA", ["ema"], ["ema"], "no EMA"),
        ("all of these", [], [], "template"),
    ):
        (line,) = re.findall(rf"^\| {start}[^|]* \|(.*)\|$", TEXTS["report"], re.MULTILINE)
        *cells, distance = (cell.strip() for cell in line.split("|"))
        found = [[float(n) for n in re.findall(r"[\d.]+\d|\d", cell)] for cell in cells]
        expected = [[ours[flag] for flag in own_flags], [template[flag] for flag in template_flags]]
        assert found == expected, start
        assert distance == distances[training]["distance after 10"], start
