"""What is each setting of train.py good for? One thing is changed at a time.

    python ablation.py                                      all trainings, one after the other
    python ablation.py --only defaults-1 r1-0               some of them

The defaults are trained with three seeds, --seed and the next two; differences that are smaller
than their scatter mean nothing. Then each setting alone takes the value of the course's template.
Finally, all of them do, once in the loop of train.py and once in the textbook loop of benchmark.py.
The table shows means and ranges of five draws of 10,000 samples, seen by mnist_classifier.pth, the
CNN by which the settings were tuned. Each training has a folder of its own in out_dir: one that was
interrupted is continued, one that is finished is not repeated. The textbook loop leaves only its
generator; it always sees all images.
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
    "defaults-1": {},
    "defaults-2": {},
    "defaults-3": {},
    **{f"{name}-{value}": {name: value} for name, value in TEMPLATE.items()},
    "template": TEMPLATE,
    "textbook": None,  # has the template's settings by itself
}
SEEDS_AFTER = {"defaults-2": 1, "defaults-3": 2}  # added to --seed
NOISE_SEED = 5000  # of the first draw


def train_args(name, args):
    """Return the settings for train.py of the training of this name."""
    settings = {
        "n_epochs": args.n_epochs,
        "n_images": args.n_images,
        "measure_every": 0,
        "seed": args.seed + SEEDS_AFTER.get(name, 0),
        "device": args.device,
        "out_dir": args.out_dir / name,
        **TRAININGS[name],
    }
    flags = [text for flag, value in settings.items() for text in (f"--{flag}", str(value))]
    return train.parse_args([*flags, "--resume"])


def trained(name, args):
    """Train as this name says, unless that is done; return the path of the generator's weights."""
    if name != "textbook":
        settings = train_args(name, args)
        train.train(settings)
        return settings.out_dir / "mnist_generator.pth"
    path = args.out_dir / f"textbook-{args.seed}-{args.n_epochs}.pth"
    if not path.exists():
        torch.manual_seed(args.seed)
        loop = Textbook(args.device)
        for _ in trange(args.n_epochs, desc="textbook", unit="epoch", disable=None):
            loop.epoch()
        save_weights(path, loop.generator)
    return path


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
    add_run_flags(parser, HERE / "run" / "ablation", seed=10)
    args = parser.parse_args()
    begin(args)
    comparison = Comparison(load_classifier("eye", args.device), load_mnist(True, args.device)[0])

    table = []
    for name in TRAININGS:
        if name in args.only:
            generator = load_model(trained(name, args), args.device, Generator.from_state_dict)
            rows = [comparison.quality(images) for images in draws(generator, args, NOISE_SEED)]
            table.append([name, *cells(rows)])

    defaults = train.parse_args([])
    ours = " ".join(f"--{name} {getattr(defaults, name)}" for name in TEMPLATE)
    print(f"\nThe defaults: {ours}")
    print_heads("training", *COLUMNS)
    for row in table:
        print_row(*row)
    print(f"generators in {args.out_dir}")


if __name__ == "__main__":
    run(main)
