"""How a study is run: existing rows are shown, missing ones are trained with --train.

Both parts have this file. A job is an experiment and a seed. Its line in <study>.jsonl holds its
rows and all settings that decided them; it is found by its settings and seed, whatever its
experiment is called. A change of the code is not seen: delete the lines that it concerns.
"""

import json
import re
import sys
from collections import Counter

from joblib import cpu_count
from matplotlib.figure import Figure

from common import HERE, begin, make_parser, number, print_table, read_csv, run, save_csv
from train import BEFORE

RESULTS, PICS = HERE / "studies" / "results", HERE.parent / "pics"
PAGES = [HERE.parent / "README.md", HERE / "studies" / "README.md"]


def key_of(settings, seed):
    """Return a text that tells jobs apart, the same for 1 and 1.0, and for a tuple and a list."""
    text = json.dumps([BEFORE | settings, seed])
    return json.dumps(json.loads(text, parse_int=float), sort_keys=True)


def line_of(experiment, settings, seed, rows):
    """Return the line of a job, whose rows are dictionaries with the same keys."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    entry = {"experiment": experiment, "seed": seed, "settings": settings, "columns": columns}
    return json.dumps(entry) + "\n"


def read_rows(path):
    """Return {key_of(a job): its rows} of a file; of several lines of a job, the last counts."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # an empty line, or a torn one: a run was killed while it wrote it
        names, columns = entry["columns"], entry["columns"].values()
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        found[key_of(entry["settings"], entry["seed"])] = rows
    return found


def jobs_of(experiments, names=None, seeds=None):
    """Return jobs (experiment, settings, seed): all of the report, or those of names or seeds."""
    jobs = []
    for name in names or experiments:
        settings, own_seeds = experiments[name]
        jobs += [(name, settings, seed) for seed in seeds or own_seeds]
    return jobs


def rows_of(jobs, known):
    """Return the known rows of the jobs, in their order, with experiment and seed in front."""
    rows = []
    for name, settings, seed in jobs:
        job = {"experiment": name, "seed": seed}
        rows += [job | row for row in known.get(key_of(settings, seed), [])]
    return rows


def renew_table(csv, table):
    """Return a Markdown table with today's cells of its csv file, in its own columns and rows."""
    first, rule, *lines = table.splitlines(keepends=True)
    head, *keys = (line[2:-3].split(" | ") for line in (first, *lines))
    rows = [[row[name] for name in head] for row in read_csv(csv)]
    n = 1  # so many first cells tell the rows apart
    while n < len(head) and len({tuple(row[:n]) for row in rows}) < len(rows):
        n += 1
    today = {tuple(row[:n]): f"| {' | '.join(row)} |\n" for row in rows}
    return first + rule + "".join(today[tuple(key[:n])] for key in keys)


def save_shown(shown, out_dir, report):
    """Save {file: rows of a table, or a Figure} in out_dir, or where the report has them.

    Then the tables of its pages are renewed; each stands under a comment that names its csv.
    """
    for file, content in shown.items():
        if isinstance(content, Figure):
            content.savefig((PICS if report else out_dir) / file)
        else:
            save_csv((RESULTS if report else out_dir) / file, content)
            print_table(content)
    for page in PAGES if report else []:
        text = page.read_text(encoding="utf-8")
        for mark, csv, table in re.findall(r"(<!-- (.*\.csv) -->\n)((?:\|.*\n)+)", text):
            text = text.replace(mark + table, mark + renew_table(page.parent / csv, table))
        page.write_text(text, encoding="utf-8", newline="\n")


def study(name, doc, experiments, measure, show):
    """Run a study by its flags.

    experiments  {experiment: (settings, seeds of the report)}; settings hold all that decides the
                 rows but the seed
    measure      measure(settings, seed) -> rows; it reads nothing else that could be changed
    show         show(rows) -> {file: rows of a table, or a Figure}
    """
    args = parse_args(name, doc, experiments)
    begin(args)
    jobs = jobs_of(experiments, args.train, args.seeds)
    report, own = (folder / f"{name}.jsonl" for folder in (RESULTS, args.out_dir))
    known = read_rows(report) | read_rows(own)
    missing = {key: job for job in jobs if (key := key_of(*job[1:])) not in known}
    for experiment, n in Counter(name for name, _, _ in missing.values()).items():
        print(f"{experiment}: no rows for {n} seeds; --train trains them", file=sys.stderr)
    if args.train is not None:
        known |= train_missing(measure, missing, args.jobs, own)
    there = [job for job in jobs if key_of(*job[1:]) in known]
    if not there or (args.report and len(there) < len(jobs)):
        sys.exit(f"only {len(there)} of {len(jobs)} jobs have rows")
    if args.report:
        lines = [line_of(*job, known[key_of(*job[1:])]) for job in jobs]
        report.write_text("".join(lines), encoding="utf-8", newline="\n")
    save_shown(show(rows_of(there, known)), args.out_dir, args.report)
    print(f"the files are in {RESULTS if args.report else args.out_dir}")


def parse_args(name, doc, experiments):
    """Return the flags of a study."""
    parser = make_parser(doc, HERE / "studies" / "run" / name)
    parser.epilog = "\n  ".join(["experiments:", *experiments])
    text = "train the missing jobs of these experiments; without a name, of all"
    parser.add_argument("--train", metavar="NAME", choices=experiments, nargs="*", help=text)
    seed, count = number(int, 0, 2**31), number(int, 1, 10_000)
    parser.add_argument("--seeds", type=seed, nargs="+", help="other seeds than the report's")
    parser.add_argument("--jobs", type=count, default=cpu_count(), help="jobs at a time")
    parser.add_argument("--report", action="store_true", help="renew the report's files and tables")
    args = parser.parse_args()
    if args.report and (args.train or args.seeds):
        parser.error("argument --report: takes all experiments, and the seeds of the report")
    return args


def train_missing(measure, missing, n_jobs, path):
    """Return {key: rows} of the missing jobs {key: job}, whose lines go to path as they finish."""
    arguments = {key: (settings, seed) for key, (_, settings, seed) in missing.items()}
    known = {}
    for key, rows in run(measure, arguments, n_jobs):
        known[key] = rows
        with open(path, "a", encoding="utf-8", newline="\n") as file:
            file.write("\n" + line_of(*missing[key], rows))  # the last may be torn
    return known
