"""Measure the generator, with real test images and uniform noise as references.

    python evaluate.py

prints one table and draws pics/evaluation.png: 10,000 samples, 28 s on two CPU cores. All but the
last two columns are measured on the classifier of classifier.py, which trained on no test image.
"""

from pathlib import Path

import matplotlib
import torch
from classifier import Classifier
from common import (
    BLUE,
    GREY,
    add_run_flags,
    load,
    make_folder,
    make_parser,
    number,
    run,
    save,
    show_settings,
)
from gan import Generator
from metrics import (
    Judge,
    density_and_coverage,
    digit_shares,
    in_pieces,
    latent_points,
    nearest,
)
from mnist import DATA_DIR, load_mnist
from torchvision.utils import make_grid

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
PICS = HERE.parent / "pics"


def draw(path, neighbours, shares):
    """Draw ten images above their nearest training images, and the shares of the digits.

    neighbours is {kind: the images, then their neighbours}, shares those of the same two kinds.
    """
    figure, (*tops, axis) = plt.subplots(3, 1, figsize=(9, 7.2), layout="constrained")
    for top, (kind, images) in zip(tops, neighbours.items(), strict=True):
        top.imshow(make_grid(images.cpu(), len(images) // 2, value_range=(-1, 1))[0], cmap="gray")
        top.set_title(f"{kind}: the first ten, each above the training image nearest to it")
        top.axis("off")
    for i, (label, color) in enumerate([("test images", GREY), ("generator", BLUE)]):
        axis.bar(torch.arange(10) + 0.4 * i - 0.2, 100 * shares[i], 0.4, label=label, color=color)
    axis.set(xlabel="digit that the classifier reads", ylabel="share (%)", xticks=range(10))
    axis.set_ylim(top=130 * max(share.max().item() for share in shares[:2]))
    axis.legend(loc="upper center", ncols=2)
    save(path, lambda file: figure.savefig(file, format="png", dpi=100))


def main():
    """Measure three kinds of images, print the table, draw the figure."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--generator", default=HERE / "mnist_generator.pth", help="weights of the generator")
    add("--classifier", default=HERE / "mnist_classifier.pth", help="weights of the classifier")
    add("--n_samples", type=number(int, 200, 10_000), default=10_000, help="images of each kind")
    add_run_flags(parser, PICS)
    parser.set_defaults(seed=2000)  # a noise on which no setting was chosen
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    args = parser.parse_args()
    show_settings(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    classifier = load(args.classifier, args.device, Classifier.from_state_dict)
    train, _ = load_mnist(args.data_dir, True, args.device)
    test, _ = load_mnist(args.data_dir, False, args.device)
    make_folder(args.out_dir)

    z = latent_points(args.n_samples, generator.latent_dim, args.seed, args.device)
    rng = torch.Generator().manual_seed(args.seed)
    noise = torch.rand(args.n_samples, 1, 28, 28, generator=rng).to(args.device) * 2 - 1
    kinds = {
        "real test images": test[: args.n_samples],
        "generator": in_pieces(generator, z),
        "uniform noise": noise,
    }
    judge = Judge(classifier, train)
    print(
        "                  Frechet  Inception  confident  rarest..commonest                      "
        "nearest training image\n"
        "                 distance      score      > 0.9       digit        density  coverage     "
        "median     least"
    )
    shares, neighbours = [], {}
    for name, images in kinds.items():
        features, logits = judge.look(images)
        row, share = judge.quality(features, logits), digit_shares(logits)
        reference = judge.training_features[: args.n_samples]
        density, coverage = density_and_coverage(reference, features)
        found = nearest(images, train)
        shares.append(share)
        print(
            f"{name:16s} {row['frechet_distance']:8.2f} {row['inception_score']:10.2f} "
            f"{row['confident']:9.1%} {row['rarest_digit']:8.1%}..{share.max():5.1%} "
            f"{density:11.2f} {coverage:9.1%} "
            f"{found[:, 0].median():10.2f} {found[:, 0].min():9.2f}",
            flush=True,
        )
        if name != "uniform noise":
            neighbours[name] = torch.cat([images[:10], train[found[:10, 1].long()]])
    path = Path(args.out_dir) / "evaluation.png"
    draw(path, neighbours, shares)
    print(f"figure in {path}")


if __name__ == "__main__":
    run(main)
