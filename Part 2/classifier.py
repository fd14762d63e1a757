"""Train the two small CNNs that read digits and provide the features of the quality measures.

    python classifier.py

The eye, mnist_eye.pth, has chosen the GAN's settings. The judge, mnist_judge.pth, has another
architecture and seed and has chosen nothing, so it reports. After some 95 seconds of training on
two CPU cores each, they read more than 99 % of MNIST's test images right.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import trange

from common import HERE, add_run_flags, begin, load, make_parser, number, run, save_weights
from gan import in_batches
from mnist import load_mnist

FILES = {"eye": "mnist_eye.pth", "judge": "mnist_judge.pth"}
N_FEATURES = {"eye": 128, "judge": 96}  # by which a file's model is recognised
BATCH_SIZE, LEARNING_RATE = 100, 4e-3  # the peak of a one-cycle schedule


def strided(inputs, outputs, size):
    """Return layers that convolve with stride 2, which halves the resolution, and normalise."""
    conv = nn.Conv2d(inputs, outputs, size, stride=2, padding=size // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def pooled(inputs, outputs):
    """Return layers that convolve, normalise and halve the resolution by taking maxima."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]


class Classifier(nn.Module):
    """A CNN, the "eye" or the "judge": images (B, 1, 28, 28) in [-1, 1] -> logits (B, 10)."""

    def __init__(self, kind):
        super().__init__()
        n_features = N_FEATURES[kind]
        if kind == "eye":
            self.body = nn.Sequential(
                *strided(1, 32, 5),  # 28 x 28 -> 14 x 14
                *strided(32, 64, 3),  # -> 7 x 7
                *strided(64, 128, 3),  # -> 4 x 4
                nn.Flatten(),
                nn.Linear(128 * 4 * 4, n_features),
                nn.ReLU(),
            )
        else:
            self.body = nn.Sequential(
                *pooled(1, 24),  # 28 x 28 -> 14 x 14
                *pooled(24, 48),  # -> 7 x 7
                *pooled(48, 80),  # -> 3 x 3
                nn.Flatten(),
                nn.Linear(80 * 3 * 3, n_features),
                nn.ReLU(),
            )
        self.head = nn.Linear(n_features, 10)

    @classmethod
    def from_state_dict(cls, state):
        """Return the classifier, in eval mode, of this state_dict."""
        n_features = state["head.weight"].shape[1]
        kind = "judge" if n_features == N_FEATURES["judge"] else "eye"
        classifier = cls(kind).to(state["head.weight"].device)
        classifier.load_state_dict(state)
        return classifier.eval()

    def features(self, images):
        """Return the activations (B, n_features) before the last layer."""
        return self.body(images)

    def forward(self, images):
        """Return one logit per digit, (B, 10)."""
        return self.head(self.features(images))


def load_classifier(kind, device):
    """Return the committed "eye" or "judge"; InputError when its file is missing or damaged."""
    return load(HERE / FILES[kind], device, Classifier.from_state_dict)


def shifted(images, rng, most=2):
    """Return the batch shifted by at most `most` pixels, all its images alike."""
    dx, dy = torch.randint(-most, most + 1, (2,), generator=rng).tolist()
    return torch.roll(images, (dy, dx), (2, 3))  # the border that rolls round is background


def train_classifier(kind, images, labels, args):
    """Return the classifier of this kind, in eval mode, after training on the labelled images."""
    seed = args.seed + 1 if kind == "judge" else args.seed
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    model = Classifier(kind).to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    steps = args.n_epochs * math.ceil(len(images) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)

    for _ in trange(args.n_epochs, desc=kind, unit="epoch", disable=None):
        order = torch.randperm(len(images), generator=rng).to(args.device)
        for batch in order.split(BATCH_SIZE):
            loss = F.cross_entropy(model(shifted(images[batch], rng)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def main():
    """Train each classifier, save its weights, print its accuracy."""
    parser = make_parser(__doc__)
    parser.add_argument("--n_epochs", type=number(int, 1), default=8, help="passes over MNIST")
    add_run_flags(parser)
    args = parser.parse_args()
    begin(args)
    images, labels = load_mnist(True, args.device)
    test_images, test_labels = load_mnist(False, args.device)

    for kind in "eye", "judge":
        model = train_classifier(kind, images, labels, args)
        save_weights(args.out_dir / FILES[kind], model)
        right = in_batches(model, test_images).argmax(1) == test_labels
        print(f"{kind}: reads {right.cpu().double().mean():.2%} of the test images right")
    print(f"weights in {args.out_dir}")


if __name__ == "__main__":
    run(main)
