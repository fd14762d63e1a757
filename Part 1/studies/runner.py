"""How a study is run: the rows of its jobs are read, or else measured; then they are shown.

Each part has this file. A job is an experiment and a seed. Its line in <study>_rows.jsonl has its
rows and all settings that decided them, and counts as long as a run would have the same settings
today. The report's lines are in results, others in out_dir.
"""

import json
import sys

from joblib import cpu_count

from common import HERE, begin, make_parser, number, run_jobs

RESULTS = HERE / "studies" / "results"


def differences(old, new):
    """Return in words where settings {name: value} that were used differ from those of today."""
    found = []
    for name in old | new:
        was, today = (json.dumps(each.get(name, "missing")) for each in (old, new))
        if was != today:
            found.append(f"{name} was {was}, is {today}")
    return ", ".join(found)


def rows_of(entry, columns):
    """Return the rows of a line, {column: value}; raise ValueError if something is missing."""
    if {*entry["columns"]} != {*columns}:
        raise ValueError(f"its columns are {', '.join(entry['columns'])}")
    rows = [*zip(*(entry["columns"][name] for name in columns), strict=True)]
    if not rows or any(value is None or value != value for row in rows for value in row):
        raise ValueError("values are missing")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def read_rows(path, experiments, columns):
    """Return {(experiment, seed): rows} of a file; name each line that does not count, and why."""
    jobs, left_out = {}, {}
    for n, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
        job = "damaged", n
        try:
            if line:
                entry = json.loads(line)
                job = entry["experiment"], entry["seed"]
                today, _ = experiments[entry["experiment"]]
                if changed := differences(entry["settings"], today):
                    raise ValueError(changed)
                jobs[job] = rows_of(entry, columns)  # the last line of a job wins
                left_out.pop(str(job), None)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            left_out[str(job)] = f"{path}: line {n}, {job}, does not count: {error!r:.300}"
    for text in left_out.values():
        print(text, file=sys.stderr)
    return jobs


def add_line(path, entry):
    """Add the line of a job to a file, whose last line may be torn: a run was killed there."""
    torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write("\n" * torn + json.dumps(entry) + "\n")


def study(name, doc, experiments, columns, measure, show):
    """Run a study by its flags.

    experiments  {experiment: (settings, seeds of the report)}; settings are one flat dictionary of
                 all that decides the rows but the seed
    columns      the names in a row; what is shown has experiment and seed before them
    measure      measure(settings, seed) -> rows; it reads nothing else that could be changed
    show         show(rows, out_dir) saves the tables and the figure that these rows can show
    """
    parser, count = make_parser(doc, HERE / "studies" / "run" / name), number(int, 1, 10_000)
    parser.epilog = "\n  ".join(["names for --only; without it, all:", *experiments])
    parser.add_argument("--only", metavar="NAME", choices=experiments, nargs="+", help="see below")
    parser.add_argument("--seed", type=number(int, 0, 2**31), help="first seed, if not ours")
    parser.add_argument("--seeds", type=count, help="how many seeds")
    parser.add_argument("--again", action="store_true", help="measure anew, whatever is there")
    parser.add_argument("--jobs", type=count, default=cpu_count(), help="jobs at a time")
    args = parser.parse_args()
    begin(args)
    jobs = []
    for experiment in args.only or experiments:
        _, seeds = experiments[experiment]
        first = seeds[0] if args.seed is None else args.seed
        jobs += [(experiment, first + n) for n in range(args.seeds or len(seeds))]
    path, known = args.out_dir / f"{name}_rows.jsonl", {}
    for file in path, RESULTS / path.name:  # what the report has wins
        if file.exists() and not args.again:
            known |= read_rows(file, experiments, columns)
    missing = {job: (experiments[job[0]][0], job[1]) for job in jobs if job not in known}
    for job, rows in run_jobs(measure, missing, args.jobs):
        entry = {"experiment": job[0], "seed": job[1], "settings": missing[job][0]}
        entry["columns"] = {column: [row[column] for row in rows] for column in columns}
        add_line(path, entry)
        known[job] = rows
    rows = []
    for experiment, seed in jobs:
        rows += [{"experiment": experiment, "seed": seed} | row for row in known[experiment, seed]]
    show(rows, args.out_dir)
    print(f"the files are in {args.out_dir}")
