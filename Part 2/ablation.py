"""What is each setting of train.py good for? One at a time takes the value of the template.

    python ablation.py                                all trainings, 20 epochs each: some 4 hours
    python ablation.py --only ours r1 --seeds 1       some of them, with one seed each

The first row has our settings, and the last has all of the template's, in our loop. A training's
numbers are means over five draws of 10,000 samples, seen by the eye, which chose the settings;
ablation.csv has the mean and the range of the seeds. A training that was interrupted is continued.
"""

import train
from classifier import load_classifier
from common import HERE, add_run_flags, begin, load, make_parser, number, run, save_table
from evaluate import cells, draws, means
from gan import Generator
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
NOISE_SEED = 5000  # of the first draw


def train_generator(name, seed, args):
    """Return the generator of a row and a seed, trained now unless that has been done."""
    _, changes = ROWS[name]
    settings = {
        "n_epochs": args.n_epochs,
        "n_images": args.n_images,
        "measure_every": 0,
        "seed": seed,
        "device": args.device,
        "out_dir": args.out_dir / f"{name}-{args.n_epochs}epochs-{args.n_images}images-seed{seed}",
        **changes,
    }
    flags = [text for flag, value in settings.items() for text in (f"--{flag}", str(value))]
    train.train(train.parse_args([*flags, "--resume"]))
    file = settings["out_dir"] / "mnist_generator.pth"
    return load(file, args.device, Generator.from_state_dict)


def main():
    """Train with each change, measure each generator, save the table."""
    parser = make_parser(__doc__)
    n_images = number(int, 2, 60_000)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="which rows")
    parser.add_argument("--n_epochs", type=number(int, 1), default=20, help="passes over MNIST")
    parser.add_argument("--n_images", type=n_images, default=60_000, help="images of MNIST used")
    parser.add_argument("--seeds", type=number(int, 1), default=3, help="trainings in a row")
    add_run_flags(parser, HERE / "run" / "ablation", seed=10)
    args = parser.parse_args()
    begin(args)
    comparison = Comparison(load_classifier("eye", args.device), load_mnist(True, args.device)[0])

    table = []
    for name, (title, _) in ROWS.items():
        if name in args.only:
            trainings = []
            for seed in range(args.seed, args.seed + args.seeds):
                generator = train_generator(name, seed, args)
                images = draws(generator, NOISE_SEED, args.device)
                trainings.append(means([comparison.quality(draw) for draw in images]))
            table.append({"training": title, "seeds": args.seeds} | cells(trainings))
    save_table(args.out_dir / "ablation.csv", table)
    print(f"ablation.csv in {args.out_dir}")


if __name__ == "__main__":
    run(main)
