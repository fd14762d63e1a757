"""What the scripts share: flags, tables and figures."""

import argparse
import csv
import hashlib
import math
import sys
from pathlib import Path

import torch
from matplotlib import rcParams

HERE = Path(__file__).resolve().parent
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe and Ito: for the colour-blind, too
rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the description as it is written, and the default of each flag."""


def make_parser(doc):
    """Return a parser with doc as its description, and the flag --out_dir."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=Formatter, allow_abbrev=False)
    parser.add_argument("--out_dir", type=Path, default=HERE / "run", help="folder for the files")
    return parser


def number(kind, low, high=math.inf):
    """Return an argparse type: an int or float from low to high."""

    def parse(text):
        if not low <= kind(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return kind(text)

    parse.__name__ = kind.__name__  # argparse names it where the text is no number
    return parse


def begin(args):
    """Create the folder of the files; print every setting and PyTorch's version."""
    try:
        args.out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"--out_dir {args.out_dir}: cannot be made ({error.strerror})")
    print(*(f"{name}={value}" for name, value in vars(args).items()), f"torch={torch.__version__}")


def write_csv(file, rows):
    """Add rows, dictionaries with the same keys, to a csv file; a new file gets their header."""
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    if file.tell() == 0:
        writer.writeheader()
    writer.writerows(rows)


def save_table(path, rows):
    """Save rows, dictionaries with the same keys, as csv, and print them as Markdown."""
    with open(path, "w", encoding="utf-8") as file:
        write_csv(file, rows)
    for cells in rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows):
        print(f"| {' | '.join(map(str, cells))} |")


def save_figure(path, figure, rows):
    """Save a matplotlib Figure as PNG; its metadata hold a hash of the rows that it shows."""
    figure.savefig(path, metadata={"Rows": hashlib.sha256(repr(rows).encode()).hexdigest()})


def grouped(rows, *columns):
    """Return {values of the columns: the rows that have them}, in the order of the rows."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups
