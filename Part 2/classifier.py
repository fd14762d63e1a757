"""Train the two small CNNs that read digits and provide the features of the quality measures.

    python classifier.py                     into run/
    python classifier.py --out_dir .         in the place of those that all scripts use

The eye, mnist_eye.pth, has chosen the GAN's settings. The judge, mnist_judge.pth, has another
architecture and seed and has chosen nothing, so it reports. After some 95 seconds of training
each, on two CPU cores, both read more than 99 % of MNIST's test images right.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import trange

from common import HERE, add_run_flags, begin, load, make_parser, number, run, save_weights
from metrics import in_batches
from mnist import load_mnist

FILES = {"eye": "mnist_eye.pth", "judge": "mnist_judge.pth"}
BATCH_SIZE, LEARNING_RATE = 100, 4e-3  # the peak of a one-cycle schedule


def block(inputs, outputs, size, stride=1):
    """Return layers that convolve and normalise; stride 2 halves the resolution."""
    conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


class Classifier(nn.Module):
    """A CNN, the "eye" or the "judge": images (B, 1, 28, 28) in [-1, 1] -> logits (B, 10).

    Its body alone returns the features (B, n_features), the activations before the last layer.
    """

    def __init__(self, kind):
        super().__init__()
        if kind == "eye":  # 28 x 28 -> 14 x 14 -> 7 x 7 -> 4 x 4
            layers = [*block(1, 32, 5, 2), *block(32, 64, 3, 2), *block(64, 128, 3, 2)]
            n_flat, n_features = 128 * 4 * 4, 128
        else:  # 28 x 28 -> 14 x 14 -> 7 x 7 -> 3 x 3
            layers = []
            for inputs, outputs in (1, 24), (24, 48), (48, 80):
                layers += [*block(inputs, outputs, 3), nn.MaxPool2d(2)]
            n_flat, n_features = 80 * 3 * 3, 96
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(n_flat, n_features), nn.ReLU())
        self.head = nn.Linear(n_features, 10)

    def forward(self, images):
        """Return one logit per digit, (B, 10)."""
        return self.head(self.body(images))


def load_classifier(kind, device, folder=HERE):
    """Return the "eye" or "judge" of a folder; InputError when its file is missing or damaged."""
    classifier = Classifier(kind).to(device).eval()
    load(folder / FILES[kind], device, classifier.load_state_dict)
    return classifier


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
    parser.add_argument("--n_epochs", type=number(int, 1, 999), default=8, help="passes over MNIST")
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
