"""How a study is run: the rows of its jobs are read, or else measured; then they are shown.

Each part has this file, byte for byte. A job is (experiment, seed). Its rows, dictionaries with the
same keys, are one line of a file <study>_rows.jsonl: those of the report in results, others in
out_dir.
"""

import json
import os
import sys

from common import HERE, begin, make_parser, number, run_jobs

RESULTS = HERE / "studies" / "results"


def read_rows(path, settings):
    """Return {job: rows} of a file, but for jobs that are made with other settings today."""
    jobs = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for n, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            experiment, seed, made_with = entry["experiment"], entry["seed"], entry["settings"]
            first = {"experiment": experiment, "seed": seed}
            values = zip(*entry["columns"].values(), strict=True)
            rows = [first | dict(zip(entry["columns"], row, strict=True)) for row in values]
            if experiment in settings and made_with == repr(settings[experiment]):
                jobs[experiment, seed] = rows
        except (AttributeError, LookupError, TypeError, ValueError):
            print(f"{path}: line {n} is damaged and left out", file=sys.stderr)
    return jobs


def add_rows(path, job, settings, rows):
    """Add the rows of a job to a file, on a line of its own."""
    experiment, seed = job
    entry = {"experiment": experiment, "seed": seed, "settings": repr(settings[experiment])}
    entry["columns"] = {name: [row[name] for row in rows] for name in rows[0] if name not in entry}
    end = path.read_bytes()[-1:] if path.exists() else b""
    torn = end not in (b"", b"\n")  # a run was killed here
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write("\n" * torn + json.dumps(entry) + "\n")


def study(name, doc, settings, seeds, measure, show):
    """Run a study by its flags.

    settings  {experiment: anything whose repr says what is done}; rows made otherwise do not count
    seeds     {experiment: range of the report's seeds}
    measure   measure(job) -> rows, dictionaries that begin with experiment and seed
    show      show(rows, out_dir) saves the tables and the figure that these rows can show
    """
    parser, count = make_parser(doc, HERE / "studies" / "run" / name), number(int, 1)
    parser.epilog = "\n  ".join(["names of experiments:", *settings])
    text = "experiments, see below; without, all"
    parser.add_argument("--only", metavar="NAME", choices=settings, nargs="+", help=text)
    text = "first seed; without, the report's"
    parser.add_argument("--seed", type=number(int, 0, 2**31), help=text)
    parser.add_argument("--seeds", type=count, help="how many; without, as many as in the report")
    text = "measure again what the report has"
    parser.add_argument("--again", action="store_true", help=text)
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help="jobs at a time")
    args = parser.parse_args()
    begin(args)
    jobs = []
    for experiment, own in seeds.items():
        if experiment in (args.only or seeds):
            first = own.start if args.seed is None else args.seed
            jobs += [(experiment, first + n) for n in range(args.seeds or len(own))]
    path, committed, known = args.out_dir / f"{name}_rows.jsonl", RESULTS / f"{name}_rows.jsonl", {}
    if path.exists():
        known |= read_rows(path, settings)
    if committed.exists() and not args.again:
        known |= read_rows(committed, settings)
    missing = [job for job in jobs if job not in known]
    for job, rows in zip(missing, run_jobs(measure, missing, args.jobs), strict=True):
        add_rows(path, job, settings, rows)
        known[job] = rows
    show([row for job in jobs for row in known[job]], args.out_dir)
    print(f"the files are in {args.out_dir}")
