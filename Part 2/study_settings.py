"""What is each setting of train.py good for? One at a time takes the value of the template.

    python study_settings.py                                     all trainings, 4 hours of a core
    python study_settings.py --only r1 --n_epochs 5 --seeds 1    one row, and a short training
    python study_settings.py --rows run/settings_rows.csv        the table again, in seconds

The first row has our settings, and the last has all of the template's, in our loop. A training's
numbers are means over five draws of 10,000 samples, seen by the eye, which chose the settings;
ablation.csv has the mean and the range of the seeds.
"""

from statistics import fmean

import train
from classifier import load_classifier
from common import begin, make_parser, number, run
from metrics import Comparison
from mnist import load_mnist
from rows import add_study_flags, grouped, save_csv, study_rows
from study_collapse import train_quietly
from study_quality import NOISE_SEED, format_row, sample_draws

CHANGES = {  # {name: (title, flags of train.py)}
    "ours": ("ours", ""),
    "fakes": ("64 fakes", "--fakes 64"),
    "lr": ("generator's rate 0.0002", "--lr 0.0002"),
    "lr_d": ("discriminator's rate 0.0002", "--lr_d 0.0002"),
    "b1": ("β₁ = 0.9", "--b1 0.9"),
    "r1": ("no R1", "--r1 0"),
    "ema": ("no average of the weights", "--ema 0"),
}
CHANGES["all"] = ("all of these", " ".join(flags for _, flags in CHANGES.values()))
MEASURES = "frechet_distance", "inception_score", "confident", "rarest_digit", "commonest_digit"
COLUMNS = {"training": str, "seed": int, "epochs": int} | dict.fromkeys(MEASURES, float)


def measure(job):
    """Train and measure one generator; return its row, in a list. A job is (name, seed, args)."""
    name, seed, args = job
    title, flags = CHANGES[name]
    folder = args.out_dir / f"{name}-seed{seed}"
    settings = train.parse_args(f"{flags} --seed {seed} --measure_every 0".split())
    settings.n_epochs, settings.device, settings.out_dir = args.n_epochs, args.device, folder
    generator = train_quietly(settings, train.Training).final_generator()
    comparison = Comparison(load_classifier("eye", args.device), load_mnist(True, args.device)[0])
    draws = [comparison.quality(images) for images in sample_draws(generator, NOISE_SEED)]
    means = {measure: fmean(draw[measure] for draw in draws) for measure in MEASURES}
    return [{"training": title, "seed": seed, "epochs": args.n_epochs} | means]


def table(rows):
    """Return a row of texts for each training, over its seeds."""
    groups = grouped(rows, "training").items()
    return [{"training": name, "seeds": len(own)} | format_row(own) for (name,), own in groups]


def main():
    """Measure, or read what was measured; show it."""
    parser = make_parser(__doc__)
    add_study_flags(parser, CHANGES, seed=10, seeds=3)
    parser.add_argument("--n_epochs", type=number(int, 1), default=20, help="passes over MNIST")
    args = parser.parse_args()
    begin(args)
    seeds = range(args.seed, args.seed + args.seeds)
    jobs = [(name, seed, args) for name in args.only for seed in seeds]
    rows = study_rows(args, args.out_dir / "settings_rows.csv", COLUMNS, measure, jobs)
    save_csv(args.out_dir / "ablation.csv", table(rows), show=True)
    print(f"rows, table and trainings are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
