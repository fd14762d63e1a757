"""How a study is run: rows that are there are shown, others are measured when they are named.

Both parts have this file. A job is an experiment and a seed. Its line in <study>_rows.jsonl holds
its rows and all settings that decided them, and counts as long as a run would have the same
settings today. A change of the code is not seen: --again measures anew.
"""

import json
import re
import shutil
import sys
from collections import Counter

from joblib import cpu_count

from common import HERE, begin, make_parser, number, read_csv, run
from train import ADDED

RESULTS, PICS = HERE / "studies" / "results", HERE.parent / "pics"
PAGES = [HERE.parent / "README.md", HERE / "studies" / "README.md"]


def differences(old, new):
    """Return in words where settings {name: value} that were used differ from those of today."""
    new = json.loads(json.dumps(new))  # a tuple becomes a list, as in a file
    old = {name: ADDED[name] for name in ADDED if name in new} | old
    changed = [name for name in old | new if old.get(name) != new.get(name)]
    return ", ".join(f"{name} was {old.get(name)}, is {new.get(name)}" for name in changed)


def read_rows(path, experiments):
    """Return {(experiment, seed): rows} of the lines of a file that count, and why others do not.

    The reasons are {(experiment, seed): text}. Of several lines of a job, the last one counts.
    """
    jobs, reasons = {}, {}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # an empty line, or a torn one: a run was killed while it wrote it
        job = entry["experiment"], entry["seed"]
        today, _ = experiments.get(entry["experiment"], ({}, ()))
        if changed := differences(entry["settings"], today):
            reasons[job] = changed
        else:
            columns, rows = entry["columns"], zip(*entry["columns"].values(), strict=True)
            jobs[job] = [dict(zip(columns, row, strict=True)) for row in rows]
    return jobs, reasons


def line_of(job, settings, rows):
    """Return the line of a job: its settings, and its rows, dictionaries with the same keys."""
    entry = {"experiment": job[0], "seed": job[1], "settings": settings}
    entry["columns"] = {name: [row[name] for row in rows] for name in rows[0]}
    return json.dumps(entry) + "\n"


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


def put_in_place(folder):
    """Put a folder's tables and figures where the report has them, and renew its pages' tables."""
    for pattern, place in ("*.csv", RESULTS), ("*.png", PICS):
        for path in folder.glob(pattern):
            shutil.copy(path, place)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for mark, csv, table in re.findall(r"(<!-- (.*\.csv) -->\n)((?:\|.*\n)+)", text):
            text = text.replace(mark + table, mark + renew_table(page.parent / csv, table))
        page.write_text(text, encoding="utf-8", newline="\n")


def parse_args(name, doc, experiments):
    """Return the flags of a study."""
    parser, count = make_parser(doc, HERE / "studies" / "run" / name), number(int, 1, 10_000)
    parser.epilog = "\n  ".join(["names for --only; what has no rows is measured:", *experiments])
    parser.add_argument("--only", metavar="NAME", choices=experiments, nargs="+", help="see below")
    parser.add_argument("--all", action="store_true", help="measure all that have no rows")
    parser.add_argument("--again", action="store_true", help="measure what has rows, too")
    parser.add_argument("--seed", type=number(int, 0, 2**31), help="first seed, if not ours")
    parser.add_argument("--seeds", type=count, help="how many seeds, if not as many as ours")
    parser.add_argument("--jobs", type=count, default=cpu_count(), help="jobs at a time")
    parser.add_argument("--report", action="store_true", help="renew the report's files and tables")
    args = parser.parse_args()
    if args.report and (args.only or args.seed is not None or args.seeds):
        parser.error("argument --report: takes all experiments, and the seeds of the report")
    begin(args)
    return args


def study(name, doc, experiments, measure, show, seconds):
    """Run a study by its flags.

    experiments  {experiment: (settings, seeds of the report)}; settings are one flat dictionary of
                 all that decides the rows but the seed
    measure      measure(settings, seed) -> rows; it reads nothing else that could be changed
    show         show(rows, out_dir) saves the tables and the figure that these rows can show; rows
                 have experiment and seed before their own columns, in the order of the jobs
    seconds      seconds(settings): about how long a job takes on one core
    """
    args = parse_args(name, doc, experiments)
    jobs = {}  # {(experiment, seed): arguments of measure}
    for experiment in args.only or experiments:
        settings, seeds = experiments[experiment]
        first = seeds[0] if args.seed is None else args.seed
        for seed in range(first, first + (args.seeds or len(seeds))):
            jobs[experiment, seed] = settings, seed
    path = args.out_dir / f"{name}_rows.jsonl"
    known, reasons = read_rows(RESULTS / path.name, experiments)
    own, own_reasons = read_rows(path, experiments)
    known |= own
    reasons |= own_reasons | dict.fromkeys(known, "has rows")
    missing = {job: jobs[job] for job in jobs if args.again or job not in known}
    found = Counter((job[0], reasons.get(job, "no rows")) for job in missing)
    for (experiment, reason), n in found.items():
        minutes = n * seconds(experiments[experiment][0]) / 60
        print(f"{experiment}: {n} seeds, {reason}; {minutes:.1f} core-minutes", file=sys.stderr)
    if args.only or args.all:
        for job, rows in run(measure, missing, args.jobs):
            with open(path, "a", encoding="utf-8", newline="\n") as file:
                file.write("\n" + line_of(job, jobs[job][0], rows))  # the last may be torn
            known[job] = rows
    elif missing:
        print("These are left out; --only or --all measures them.", file=sys.stderr)
    shown = [job for job in jobs if job in known]
    if not shown or (args.report and len(shown) < len(jobs)):
        sys.exit(f"{len(shown)} of {len(jobs)} jobs have rows")
    rows = [{"experiment": job[0], "seed": job[1]} | row for job in shown for row in known[job]]
    folder = args.out_dir / "report" if args.report else args.out_dir
    folder.mkdir(exist_ok=True)
    show(rows, folder)
    print(f"the files are in {folder}")
    if args.report:
        lines = [line_of(job, jobs[job][0], known[job]) for job in jobs]
        (RESULTS / path.name).write_text("".join(lines), encoding="utf-8", newline="\n")
        put_in_place(folder)
