"""What the scripts of a part share: flags, tables, figures, weights, jobs on all cores.

Both parts have this file, byte for byte, so that a part can be copied alone.
"""

import argparse
import csv
import json
import math
import os
import re
import sys
from pathlib import Path
from pickle import PickleError

import torch
from joblib import Parallel, delayed, parallel_config
from matplotlib import rcParams
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # Okabe and Ito
UNREADABLE = AttributeError, EOFError, LookupError, OSError, PickleError, RuntimeError
UNREADABLE += TypeError, ValueError
rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the description as it is written, and the default of each flag."""


def make_parser(doc, out_dir=HERE / "run"):
    """Return a parser with doc as its description, and the flag --out_dir."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=Formatter, allow_abbrev=False)
    parser.add_argument("--out_dir", type=Path, default=out_dir, help="output folder")
    return parser


def number(kind, low, high=math.inf):
    """Return an argparse type: an int or float from low to high."""

    def parse(text):
        if not low <= kind(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return kind(text)

    parse.__name__ = kind.__name__  # argparse says "invalid int value" with it
    return parse


def begin(args, file="settings.json", **more):
    """Create the output folder, and write the flags, more settings and PyTorch's version into it.

    Exit if it is inside the repository but not in a folder run/, which git ignores.
    """
    folder = args.out_dir.resolve()
    repository = HERE.parent if (HERE.parent / "pics").exists() else HERE  # a part copied alone
    if folder.is_relative_to(repository) and "run" not in folder.relative_to(repository).parts:
        sys.exit(f"--out_dir {args.out_dir}: inside the repository, only a folder run/ is allowed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"--out_dir {args.out_dir}: cannot be made ({error.strerror})")
    settings = json.dumps(vars(args) | more | {"torch": torch.__version__}, default=str, indent=1)
    (folder / file).write_text(settings + "\n", encoding="utf-8")


def run(function, jobs, n):
    """Yield (name, function(*arguments)) of jobs {name: arguments}, as each finishes.

    n run at a time, each on one thread of the CPU.
    """

    def job(name):
        return name, function(*jobs[name])

    torch.set_num_threads(1)  # for n = 1, when joblib stays in this process
    with parallel_config("loky", n_jobs=n, inner_max_num_threads=1):
        results = Parallel(return_as="generator_unordered")(delayed(job)(name) for name in jobs)
        yield from tqdm(results, total=len(jobs), unit="job", disable=None)


def duration(seconds):
    """Return seconds in words, rounded up to minutes or, from two hours on, to hours."""
    minutes = math.ceil(seconds / 60)
    if minutes >= 120:
        return f"{math.ceil(minutes / 60)} hours"
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def grouped(rows, *columns):
    """Return {values of the columns: the rows that have them}, in the order of the rows."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


def save_csv(path, rows):
    """Save rows, dictionaries with the same keys, as csv, replacing any older file."""
    temporary = path.with_name(f".tmp-{path.name}")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def read_csv(path):
    """Return the rows of a csv file, {column: text}."""
    return [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def print_table(rows):
    """Print rows, dictionaries with the same keys, as a Markdown table."""
    for cells in rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows):
        print(f"| {' | '.join(map(str, cells))} |")


def save_state(path, content):
    """Let torch.save write content beside path, and move it there once it is complete."""
    temporary = path.with_name(f".tmp-{path.name}")
    torch.save(content, temporary)
    os.replace(temporary, path)


def load(path, build, device="cpu"):
    """Return build(content) of the dictionary that torch.save wrote to path.

    Exit in one line if the file cannot be read, or lacks what build needs: then
    build raises KeyError, RuntimeError (as load_state_dict does) or ValueError.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        return build(content)
    except UNREADABLE as error:
        # Only the first sentence: PyTorch's next ones suggest to run any code in the file.
        reason = re.split(r"\n|\. ", f"{type(error).__name__}: {error}")[0]
        sys.exit(f"{path}: cannot be used here ({reason:.200})")


def finite(weights):
    """Return the weights, a state_dict; raise ValueError if one of them is NaN or infinite."""
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity")
    return weights
