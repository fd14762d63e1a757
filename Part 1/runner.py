"""How a study is run: its flags, its jobs on all cores, its rows in one csv file."""

import csv
import os
import sys
from itertools import groupby
from pathlib import Path

import torch
from joblib import Parallel, delayed, parallel_config
from tqdm import tqdm

from common import begin, make_parser, number, write_csv


def run_jobs(function, jobs, n):
    """Yield function(job) in the order of the jobs, n at a time, each on one thread."""
    torch.set_num_threads(1)  # for n = 1, when joblib stays in this process
    with parallel_config("loky", n_jobs=n, inner_max_num_threads=1):
        results = Parallel(return_as="generator")(delayed(function)(job) for job in jobs)
        yield from tqdm(results, total=len(jobs), unit="job", disable=None)


def as_numbers(texts):
    """Return a column's texts as numbers where all of them are, or are empty."""
    for kind in int, float:
        try:
            return [kind(text) if text != "" else text for text in texts]
        except ValueError:
            continue
    return texts


def read_rows(paths, experiments):
    """Return the rows in a study's csv files, in the order of its experiments and seeds.

    Exit where they are damaged, of no experiment of the study, or there twice.
    """
    order = [*experiments]
    try:
        lines = [line for path in paths for line in csv.DictReader(path.read_text().splitlines())]
        columns = {name: as_numbers([line[name] for line in lines]) for name in lines[0]}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        jobs = [job for job, _ in groupby((row["experiment"], row["seed"]) for row in rows)]
        if len({*jobs}) < len(jobs):
            raise ValueError("the rows of a job are there twice")
        return sorted(rows, key=lambda row: (order.index(row["experiment"]), row["seed"]))
    except (OSError, LookupError, TypeError, ValueError) as error:
        sys.exit(f"{' '.join(map(str, paths))}: holds no whole rows of this study ({error!r})")


def study(name, doc, experiments, measure, show, seed=300):
    """Run a study by its flags: measure rows, or read them, and show them.

    name         of its csv file: <name>_rows.csv
    experiments  {experiment: number of seeds}; a job is (experiment, seed)
    measure      measure(job) -> rows, dictionaries that begin with experiment and seed
    show         show(rows, out_dir) saves the tables and the figure that these rows can show
    """
    parser, count = make_parser(doc), number(int, 1)
    parser.add_argument("--only", choices=experiments, nargs="+", help="experiments; without, all")
    parser.add_argument("--seed", type=number(int, 0), default=seed, help="first seed of each")
    parser.add_argument("--seeds", type=count, help="how many; without, those of the report")
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help="jobs at a time")
    parser.add_argument("--resume", action="store_true", help="run what out_dir's rows lack")
    parser.add_argument("--rows", type=Path, nargs="+", help="show these rows, and run nothing")
    args = parser.parse_args()
    path, only = args.out_dir / f"{name}_rows.csv", [*dict.fromkeys(args.only or experiments)]
    if args.rows:
        for flag in "seed", "seeds", "jobs", "resume":
            if getattr(args, flag) != parser.get_default(flag):
                parser.error(f"argument --{flag}: does not go with --rows, which runs nothing")
    elif path.exists() and not args.resume:
        sys.exit(f"{path}: exists; --resume runs what it lacks, or take another --out_dir")
    begin(args)
    if not args.rows:
        done = read_rows([path], experiments) if path.exists() else []
        done = {(row["experiment"], row["seed"]) for row in done}
        jobs = [(e, args.seed + n) for e in only for n in range(args.seeds or experiments[e])]
        jobs = [job for job in jobs if job not in done]
        for rows in run_jobs(measure, jobs, args.jobs):
            with open(path, "a", encoding="utf-8") as file:
                write_csv(file, rows)
    rows = read_rows(dict.fromkeys(args.rows or [path]), experiments)
    shown = [row for row in rows if row["experiment"] in only]
    if not shown:
        sys.exit(f"--only {only}: there are no such rows")
    show(shown, args.out_dir)
    print(f"the files are in {args.out_dir}")
