"""Measure the generator, with real test images and uniform noise as references.

    python evaluate.py

prints one table and draws pics/evaluation.png: 10,000 samples, 45 s on two CPU cores. All but the
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
from mnist import DATA_DIR, load_mnist
from torchvision.utils import make_grid

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
PICS = HERE.parent / "pics"


@torch.no_grad()
def in_pieces(function, inputs, size=500):
    """Return function(inputs), computed for size rows at a time, so that memory stays flat."""
    return torch.cat([function(piece) for piece in inputs.split(size)])


def frechet_distance(x, y):
    """Return the Frechet distance, >= 0, of two Gaussians fitted to x (N, D) and y (M, D).

    ||mx - my||^2 + tr(Cx + Cy - 2 (Cx Cy)^(1/2)) in float64 (Heusel et al. 2017, equation 6). The
    trace of the root is the sum of the roots of the eigenvalues of Cx Cy, which are those of
    the symmetric Cx^(1/2) Cy Cx^(1/2).
    """
    x, y = x.double(), y.double()
    cx, cy = torch.cov(x.T), torch.cov(y.T)
    values, vectors = torch.linalg.eigh(cx)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cy @ root).clamp(min=0).sqrt().sum()
    return ((x.mean(0) - y.mean(0)).square().sum() + cx.trace() + cy.trace() - 2 * cross).item()


def inception_score(logits):
    """Return exp(E KL(p(y|x) || p(y))), 1..10, of logits (N, 10) (Salimans et al. 2016)."""
    log_p = logits.double().log_softmax(1)
    log_marginal = log_p.exp().mean(0).log()
    return (log_p.exp() * (log_p - log_marginal)).sum(1).mean().exp().item()


def density_and_coverage(real, fake, k=5):
    """Return (density >= 0, coverage 0..1) of fake (M, D) around real (N, D) (Naeem et al. 2020).

    Each real point owns the ball that reaches to its k-th neighbour. Density is the mean number
    of balls that hold a fake, over k: low when fakes lie off the data. Coverage is the share of
    balls that hold any fake: low when kinds of data are missing.
    """
    radii = in_pieces(lambda a: torch.cdist(a, real).kthvalue(k + 1).values, real)  # 1st: itself
    inside = [torch.cdist(piece, real) < radii for piece in fake.split(500)]
    density = sum(hits.sum() for hits in inside) / (k * len(fake))
    coverage = torch.stack([hits.any(0) for hits in inside]).any(0).float().mean()
    return density.item(), coverage.item()


def nearest(images, references):
    """Return (N, 2): the distance of each image to its nearest reference, and which one it is.

    The distance is the root of the summed squares of all pixel differences, pixels in 0..1.
    """
    flat = references.flatten(1) / 2  # half of [-1, 1] spans 1

    def search(piece):
        distance, index = torch.cdist(piece.flatten(1) / 2, flat).min(1)
        return torch.stack([distance.double(), index.double()], 1)

    return in_pieces(search, images)


def draw(path, samples, neighbours, shares):
    """Draw ten samples over their nearest training images, beside the shares of the digits."""
    figure, (left, axis) = plt.subplots(
        1, 2, figsize=(10, 2.6), width_ratios=[1.9, 1], layout="constrained"
    )
    grid = make_grid(torch.cat([samples, neighbours]).cpu(), len(samples), value_range=(-1, 1))
    left.imshow(grid[0], cmap="gray")
    left.set_title("samples, each above the training image nearest to it", fontsize=10)
    left.axis("off")
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
    add("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    args = parser.parse_args()
    show_settings(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    classifier = load(args.classifier, args.device, Classifier.from_state_dict)
    train, _ = load_mnist(args.data_dir, True, args.device)
    test, _ = load_mnist(args.data_dir, False, args.device)
    make_folder(args.out_dir)

    rng = torch.Generator().manual_seed(args.seed)
    z = torch.randn(args.n_samples, generator.latent_dim, generator=rng).to(args.device)
    noise = torch.rand(args.n_samples, 1, 28, 28, generator=rng).to(args.device) * 2 - 1
    kinds = {
        "real test images": test[: args.n_samples],
        "generator": in_pieces(generator, z),
        "uniform noise": noise,
    }
    train_features = in_pieces(classifier.features, train)
    print(
        "                  Frechet  Inception  confident  rarest..commonest                      "
        "nearest training image\n"
        "                 distance      score      > 0.9       digit        density  coverage     "
        "median     least"
    )
    shares = []
    for name, images in kinds.items():
        features = in_pieces(classifier.features, images)
        logits = classifier.head(features).detach()
        confident = (logits.softmax(1).max(1).values > 0.9).float().mean()
        share = logits.argmax(1).bincount(minlength=10).float() / len(images)
        density, coverage = density_and_coverage(train_features[: args.n_samples], features)
        found = nearest(images, train)
        shares.append(share.cpu())
        print(
            f"{name:16s} {frechet_distance(features, train_features):8.2f} "
            f"{inception_score(logits):10.2f} {confident:9.1%} {share.min():8.1%}.."
            f"{share.max():5.1%} {density:11.2f} {coverage:9.1%} {found[:, 0].median():10.2f} "
            f"{found[:, 0].min():9.2f}",
            flush=True,
        )
        if name == "generator":
            neighbours = train[found[:10, 1].long()]
    path = Path(args.out_dir) / "evaluation.png"
    draw(path, kinds["generator"][:10], neighbours, shares)
    print(f"figure in {path}")


if __name__ == "__main__":
    run(main)
