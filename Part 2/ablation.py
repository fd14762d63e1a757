"""What is each setting of train.py good for? One thing is changed at a time.

    python ablation.py                                      all trainings, one after the other
    python ablation.py --only defaults r1-0 --seeds 1       some of them, with one seed each

First come the defaults of train.py. Then each setting alone takes the value of the course's
template. Finally, all of them do, once in the loop of train.py and once in the textbook loop of
benchmark.py. Each row is trained with several seeds. A seed's numbers are means over five draws of
10,000 samples, seen by mnist_classifier.pth, the CNN by which the settings were tuned; the table
shows the mean of the seeds, and the least and the greatest of them in brackets. Each training by
train.py has a folder of its own in out_dir: an interrupted training is continued, a finished one is
not repeated. The textbook loop saves only its generator, so it starts anew when it was interrupted.
It always uses all images.
"""

import torch
from tqdm import trange

import train
from benchmark import Textbook
from classifier import load_classifier
from common import (
    HERE,
    add_run_flags,
    begin,
    load_model,
    make_parser,
    number,
    print_heads,
    print_row,
    run,
    save_weights,
)
from evaluate import COLUMNS, cells, draws
from gan import Generator
from metrics import Comparison
from mnist import load_mnist

TEMPLATE = {"fakes": 64, "lr": 2e-4, "lr_d": 2e-4, "b1": 0.9, "r1": 0, "ema": 0}
TRAININGS = {  # name of the training: the settings that differ from train.py's defaults
    "defaults": {},
    **{f"{name}-{value}": {name: value} for name, value in TEMPLATE.items()},
    "template": TEMPLATE,
    "textbook": None,  # has the template's settings by itself
}
NOISE_SEED = 5000  # of the first draw


def train_args(name, seed, args):
    """Return the settings for train.py of the training of this name and seed."""
    settings = {
        "n_epochs": args.n_epochs,
        "n_images": args.n_images,
        "measure_every": 0,
        "seed": seed,
        "device": args.device,
        "out_dir": args.out_dir / f"{name}-seed{seed}",
        **TRAININGS[name],
    }
    flags = [text for flag, value in settings.items() for text in (f"--{flag}", str(value))]
    return train.parse_args([*flags, "--resume"])


def trained(name, seed, args):
    """Train as this name says, unless that is done; return the path of the generator's weights."""
    if name != "textbook":
        settings = train_args(name, seed, args)
        train.train(settings)
        return settings.out_dir / "mnist_generator.pth"
    path = args.out_dir / f"textbook-seed{seed}-{args.n_epochs}.pth"
    if not path.exists():
        torch.manual_seed(seed)
        loop = Textbook(args.device)
        for _ in trange(args.n_epochs, desc="textbook", unit="epoch", disable=None):
            loop.epoch()
        save_weights(path, loop.generator)
    return path


def mean_quality(comparison, path, args):
    """Return {measure: its mean over the draws} of the generator at path."""
    generator = load_model(path, args.device, Generator.from_state_dict)
    rows = [comparison.quality(images) for images in draws(generator, args, NOISE_SEED)]
    return {measure: sum(row[measure] for row in rows) / len(rows) for measure in rows[0]}


def main():
    """Train with each change, measure each generator, print the table."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    names = list(TRAININGS)
    add("--only", nargs="+", choices=names, default=names, help="which trainings")
    add("--n_epochs", type=number(int, 1, 10_000), default=20, help="passes over the images")
    add("--n_images", type=number(int, 2, 60_000), default=60_000, help="how many images of MNIST")
    add("--n_samples", type=number(int, 200, 10_000), default=10_000, help="samples in a draw")
    add("--n_draws", type=number(int, 1, 100), default=5, help="draws of each generator")
    add("--seeds", type=number(int, 1, 100), default=3, help="trainings: seed, seed + 1, ...")
    add_run_flags(parser, HERE / "run" / "ablation", seed=10)
    args = parser.parse_args()
    begin(args)
    comparison = Comparison(load_classifier("eye", args.device), load_mnist(True, args.device)[0])

    seeds = range(args.seed, args.seed + args.seeds)
    table = []
    for name in TRAININGS:
        if name in args.only:
            paths = [trained(name, seed, args) for seed in seeds]
            table.append([name, *cells([mean_quality(comparison, path, args) for path in paths])])

    defaults = train.parse_args([])
    ours = " ".join(f"--{name} {getattr(defaults, name)}" for name in TEMPLATE)
    print(f"\nThe defaults: {ours}")
    print_heads("training", *COLUMNS)
    for row in table:
        print_row(*row)
    print(f"generators in {args.out_dir}")


if __name__ == "__main__":
    run(main)
