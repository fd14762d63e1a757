"""A small CNN that reads digits, to name and to measure what the generator draws.

    python classifier.py

writes mnist_classifier.pth beside this file and prints the accuracy on MNIST's test images.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from common import add_run_flags, make_folder, make_parser, number, run, save, show_settings
from mnist import DATA_DIR, load_mnist
from torch import nn
from tqdm import tqdm

HERE = Path(__file__).parent


class Classifier(nn.Module):
    """images (B, 1, 28, 28) in [-1, 1] -> logits (B, 10) of the ten digits."""

    def __init__(self):
        super().__init__()

        def block(inputs, outputs, size):
            """Convolve, halve the resolution, normalise; a stride is cheaper than pooling."""
            conv = nn.Conv2d(inputs, outputs, size, stride=2, padding=size // 2, bias=False)
            return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *block(1, 32, 5),  # 28 x 28 -> 14 x 14
            *block(32, 64, 3),  # -> 7 x 7
            *block(64, 128, 3),  # -> 4 x 4
            nn.Flatten(),
            nn.Linear(128 * 4 * 4, 128),
            nn.ReLU(),
        )
        self.head = nn.Linear(128, 10)

    @classmethod
    def from_state_dict(cls, state):
        """Rebuild a classifier, in eval mode, from its state_dict.

        Raises KeyError or RuntimeError when state is another model's.
        """
        classifier = cls().to(state["head.bias"].device)
        classifier.load_state_dict(state)
        return classifier.eval()

    def features(self, images):
        """Return the 128 activations (B, 128) before the last layer."""
        return self.body(images)

    def forward(self, images):
        """Return one logit per digit."""
        return self.head(self.features(images))


@torch.no_grad()
def accuracy(model, images, labels):
    """Return the share in 0..1 of the images that the model, put into eval mode, reads right."""
    training = model.training
    model.eval()
    digits = torch.cat([model(piece).argmax(1) for piece in images.split(1000)])
    model.train(training)
    return (digits == labels).float().mean().item()


def shifted(images, rng, most=2):
    """Return the batch moved by up to most pixels, the same way for all its images."""
    dx, dy = torch.randint(-most, most + 1, (2,), generator=rng).tolist()
    return torch.roll(images, (dy, dx), (2, 3))  # the border that rolls round is background


def main():
    """Train the classifier, save its weights, print its accuracy."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--n_epochs", type=number(int, 1, 1000), default=8, help="passes over MNIST"
    )
    parser.add_argument(
        "--batch_size", type=number(int, 2, 10_000), default=100, help="images a step"
    )
    parser.add_argument(
        "--lr", type=number(float, 0, 1, "()"), default=4e-3, help="highest learning rate"
    )
    add_run_flags(parser, HERE)
    parser.add_argument("--data_dir", default=DATA_DIR, help="folder that holds MNIST/raw/*.gz")
    args = parser.parse_args()
    show_settings(args)
    make_folder(args.out_dir)

    images, labels = load_mnist(args.data_dir, True, args.device)
    torch.manual_seed(args.seed)
    rng = torch.Generator().manual_seed(args.seed)
    model = Classifier().to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), args.lr)
    steps = args.n_epochs * -(-len(images) // args.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, steps)

    progress = tqdm(total=steps, unit="batch", disable=None)
    for _ in range(args.n_epochs):
        for batch in (
            torch.randperm(len(images), generator=rng).to(args.device).split(args.batch_size)
        ):
            loss = F.cross_entropy(model(shifted(images[batch], rng)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.update()
    progress.close()

    path = Path(args.out_dir) / "mnist_classifier.pth"
    save(path, lambda file: torch.save(model.state_dict(), file))
    share = accuracy(model, *load_mnist(args.data_dir, False, args.device))
    print(f"test accuracy {share:.2%}, weights in {path}")


if __name__ == "__main__":
    run(main)
