"""Rows of measurements: a study measures them once; its tables and its figure show them.

Each part can be read and run alone, so both parts hold this same file.
"""

import argparse
import csv
import hashlib
import io
from pathlib import Path

from common import InputError, add_jobs_flags, each, save


def add_study_flags(parser, names, seed, seeds=None):
    """Add the flags of a study: --only, of these names, its seeds and jobs, and --rows."""
    text = "csv files of rows: show these, and measure nothing"
    parser.add_argument("--only", nargs="+", choices=names, default=[*names], help="what to train")
    add_jobs_flags(parser, seed, seeds)
    parser.add_argument("--rows", type=Path, nargs="+", metavar="FILE", help=text)


def csv_text(rows):
    """Return rows, dictionaries with the same keys, as the text of a csv file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def save_csv(path, rows, show=False):
    """Save rows, dictionaries with the same keys, as csv; `show` prints them as Markdown, too."""
    if show:
        for cells in rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows):
            print(f"| {' | '.join(map(str, cells))} |")
    save(path, lambda file: file.write(csv_text(rows).encode()))


def read_csv(path, columns):
    """Return the rows of a csv, {column: kind(text)} for columns {name: kind}; or InputError.

    A kind is a type, or what common.number returns, which refuses nan and what is out of range.
    """
    rows, name = [], ", ".join(columns)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for texts in csv.DictReader(file):
                if None in texts.values():
                    raise ValueError("a line is too short")
                row = {}
                for name, kind in columns.items():  # a refusal names the column
                    row[name] = kind(texts[name])
                rows.append(row)
    except (OSError, csv.Error, KeyError, TypeError, ValueError, argparse.ArgumentTypeError) as e:
        raise InputError(f"{path}: no table of {name} ({e})") from e
    if not rows:
        raise InputError(f"{path}: no rows of {name}")
    return rows


def study_rows(args, path, columns, measure, jobs):
    """Return the rows in the files args.rows or, without them, those that measure(job) returns.

    All rows so far are saved at path after each file or job.
    """
    files = (read_csv(file, columns) for file in args.rows or [])
    rows = []
    for some in files if args.rows else (some for _, some in each(measure, jobs, args)):
        rows += some
        save_csv(path, rows)
    return rows


def grouped(rows, *columns):
    """Return {values of the columns: the rows that have them}, in the order of the rows."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


def save_figure(path, figure, rows):
    """Save a matplotlib Figure as PNG; its metadata hold the SHA-256 of the rows that it shows."""
    digest = hashlib.sha256(csv_text(rows).encode()).hexdigest()
    save(path, lambda file: figure.savefig(file, format="png", metadata={"Rows": digest}))
