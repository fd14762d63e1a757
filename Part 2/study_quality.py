"""How good are the samples? Generators beside real images and uniform noise, and their grids.

    python study_quality.py                                            the committed generator
    python study_quality.py --generators run/*/seed?/mnist_generator.pth
    python study_quality.py --only moments                             no measuring, in seconds

evaluation.csv has what the judge sees in five draws of 10,000 samples, mean and range; a generator
is named by the last two folders of its file. A perfect generator would hardly come nearer than
held-out images: 10,000 of the training images, compared with the other 50,000. moments.png shows
samples of our training at the start, half-way and at the end, and the template's at the end.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.utils import make_grid
from tqdm import tqdm

from classifier import load_classifier
from common import HERE, InputError, add_run_flags, begin, load, make_parser, run
from figures import moments_figure
from gan import Generator
from metrics import Comparison, draw_samples, nearest
from mnist import load_mnist
from rows import save_csv, save_figure

COMMITTED = HERE / "mnist_generator.pth"
NAMES = {COMMITTED: "ours, seed0"}  # of a file whose folders do not tell
N_DRAWS, N_SAMPLES = 5, 10_000  # samples in a draw
NOISE_SEED = 5000  # of the first draw; no setting was tuned on these noises
# The columns of the table: {title: (measure, what it is multiplied with, decimals)}.
COLUMNS = {
    "Fréchet distance": ("frechet_distance", 1, 2),
    "Inception Score": ("inception_score", 1, 2),
    "clear, %": ("confident", 100, 1),
    "commonest digit, %": ("commonest_digit", 100, 1),
    "nearest training image": ("nearest", 1, 2),
}


def format_row(rows):
    """Return {title: text}: mean and, over several rows [{measure: number}], range of each."""
    texts = {}
    columns = {title: column for title, column in COLUMNS.items() if column[0] in rows[0]}
    for title, (name, factor, decimals) in columns.items():
        values = [factor * row[name] for row in rows]
        texts[title] = f"{sum(values) / len(values):.{decimals}f}"
        if len(values) > 1:
            texts[title] += f" ({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    return texts


def measure(comparison, images):
    """Return {measure: number} of images (N, 1, 28, 28)."""
    distances = nearest(images[:1000], comparison.training_images)
    return comparison.quality(images) | {"nearest": distances.median().item()}


def sample_draws(generator, seed):
    """Yield N_DRAWS times N_SAMPLES images of the generator; the noises have consecutive seeds."""
    for n in range(N_DRAWS):
        yield draw_samples(generator, N_SAMPLES, seed + n)


def hold_out(images, seed):
    """Yield N_DRAWS random splits of images, or of their features: N_SAMPLES, and all others."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(N_DRAWS):
        order = torch.randperm(len(images), generator=rng).to(images.device)
        yield images[order[:N_SAMPLES]], images[order[N_SAMPLES:]]


def evaluate(args):
    """Measure all kinds of images and save the table."""
    generators = [load(file, args.device, Generator.from_state_dict) for file in args.generators]
    training_images, _ = load_mnist(True, args.device)
    test_images, _ = load_mnist(False, args.device)
    judge = load_classifier("judge", args.device)
    comparison = Comparison(judge, training_images)
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(N_SAMPLES, 1, 28, 28, generator=rng).to(args.device) * 2 - 1

    splits = hold_out(training_images, args.seed)
    perfect = [measure(Comparison(judge, others), held_out) for held_out, others in splits]
    table = [{"images": "held-out training images"} | format_row(perfect)]
    table.append({"images": "real test images"} | format_row([measure(comparison, test_images)]))
    for file, generator in zip(args.generators, generators, strict=True):
        name = NAMES.get(file, ", ".join(file.resolve().parts[-3:-1]))
        bar = tqdm(sample_draws(generator, args.seed), name, N_DRAWS, disable=None)
        table.append({"images": name} | format_row([measure(comparison, draw) for draw in bar]))
    table.append({"images": "uniform noise"} | format_row([measure(comparison, noise)]))
    save_csv(args.out_dir / "evaluation.csv", table, show=True)


def read_grids(folder, *parts):
    """Return the grids (H, W), in 0..1, of <batch>.png in folder after these parts of all steps."""
    try:
        last = max(int(path.stem) for path in folder.glob("*.png") if path.stem.isdecimal())
        files = [folder / f"{int(part * last)}.png" for part in parts]
        return [np.asarray(Image.open(file).convert("L")) / 255 for file in files]
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no sample grids of train.py ({error})") from error


def draw_moments(args):
    """Save moments.png."""
    start, half_way, end = read_grids(args.grids / "ours", 0, 0.5, 1)
    (template,) = read_grids(args.grids / "template", 1)
    images, _ = load_mnist()
    real = (make_grid(images[:25], 5, pad_value=-1)[0].numpy() + 1) / 2
    grids = {"start": start, "half-way": half_way, "end": end, "real images": real}
    grids["the template's end"] = template
    rows = [
        {"grid": title, "sha256": hashlib.sha256(grid.tobytes()).hexdigest()}
        for title, grid in grids.items()
    ]
    save_figure(args.out_dir / "moments.png", moments_figure(grids), rows)


def main():
    """Measure, and draw."""
    parser = make_parser(__doc__)
    parts, text = {"evaluation": evaluate, "moments": draw_moments}, "what to make"
    parser.add_argument("--only", choices=parts, nargs="+", default=[*parts], help=text)
    text = "weights files"
    parser.add_argument("--generators", nargs="+", type=Path, default=[COMMITTED], help=text)
    text = "folder of the folders ours and template, of grids <batch>.png"
    parser.add_argument("--grids", type=Path, default=HERE / "results" / "grids", help=text)
    add_run_flags(parser, seed=NOISE_SEED)
    args = parser.parse_args()
    begin(args)
    for name in args.only:
        parts[name](args)
    print(f"what was made is in {args.out_dir}")


if __name__ == "__main__":
    run(main)
