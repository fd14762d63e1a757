"""What is each setting of train.py good for? One at a time takes the value of the template.

    python ablation.py                                all trainings, 20 epochs each: some 4 hours
    python ablation.py --only ours r1 --seeds 1       some of them, with one seed each

The first row has our settings, and the last has all of the template's, in our loop. A training's
numbers are means over five draws of 10,000 samples, seen by the eye, which chose the settings;
ablation.csv has the mean and the range of the seeds. A training that was interrupted is continued.
"""

import train
from classifier import load_classifier
from common import HERE, add_run_flags, begin, make_parser, number, run, save_csv
from evaluate import NOISE_SEED, format_row, mean_of, sample_draws
from metrics import Comparison
from mnist import load_mnist

# {name of a row: (title, the settings that differ from train.py's defaults)}
ROWS = {
    "ours": ("ours", {}),
    "fakes": ("64 fakes", {"fakes": 64}),
    "lr": ("generator's rate 0.0002", {"lr": 2e-4}),
    "lr_d": ("discriminator's rate 0.0002", {"lr_d": 2e-4}),
    "b1": ("β₁ = 0.9", {"b1": 0.9}),
    "r1": ("no R1", {"r1": 0}),
    "ema": ("no average of the weights", {"ema": 0}),
    "all": ("all of these", {"fakes": 64, "lr": 2e-4, "lr_d": 2e-4, "b1": 0.9, "r1": 0, "ema": 0}),
}


def train_generator(name, seed, args):
    """Return the generator of a row and a seed, trained now unless that has been done."""
    _, changes = ROWS[name]
    settings = train.parse_args(["--resume", "--measure_every", "0", "--seed", str(seed)])
    folder = f"{name}-{args.n_epochs}epochs-seed{seed}"
    settings.out_dir, settings.device = args.out_dir / folder, args.device
    vars(settings).update(changes, n_epochs=args.n_epochs)
    return train.train(settings).final_generator()


def main():
    """Train with each change, measure each generator, save the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="which rows")
    parser.add_argument("--n_epochs", type=number(int, 1), default=20, help="passes over MNIST")
    parser.add_argument("--seeds", type=number(int, 1), default=3, help="trainings in a row")
    add_run_flags(parser, HERE / "run" / "ablation", seed=10)
    args = parser.parse_args()
    begin(args)
    comparison = Comparison(load_classifier("eye", args.device), load_mnist(True, args.device)[0])

    table = []
    for name in args.only:
        trainings = []
        for seed in range(args.seed, args.seed + args.seeds):
            draws = sample_draws(train_generator(name, seed, args), NOISE_SEED)
            trainings.append(mean_of([comparison.quality(draw) for draw in draws]))
        title, _ = ROWS[name]
        table.append({"training": title, "seeds": args.seeds} | format_row(trainings))
    save_csv(args.out_dir / "ablation.csv", table, show=True)
    print(f"ablation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
