"""Train the judge, the small CNN that reads digits and provides the features of the measures.

    python classifier.py                     into run/
    python classifier.py --out_dir .         in the place of the one that all scripts use

The judge has chosen no setting of the GAN. After some 95 seconds of training on two CPU cores, it
reads more than 99 % of MNIST's test images right.
"""

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import trange

from common import HERE, begin, load, make_parser, number, save_state
from mnist import load_mnist

FILE = "mnist_judge.pth"
BATCH_SIZE, LEARNING_RATE = 100, 4e-3  # the peak of a one-cycle schedule


class Judge(nn.Module):
    """A CNN: images (B, 1, 28, 28) in [-1, 1] -> logits (B, 10).

    Its body alone returns the features (B, 96), the activations before the last layer.
    """

    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in (1, 24), (24, 48), (48, 80):  # 28 x 28 -> 14 x 14 -> 7 x 7 -> 3 x 3
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(80 * 3 * 3, 96), nn.ReLU())
        self.head = nn.Linear(96, 10)

    def forward(self, images):
        """Return one logit per digit, (B, 10)."""
        return self.head(self.body(images))


def load_judge(device="cpu"):
    """Return the committed judge, in eval mode."""
    judge = Judge().to(device).eval()
    load(HERE / FILE, judge.load_state_dict, device)
    return judge


def main():
    """Train the judge, save its weights, print its accuracy."""
    parser = make_parser(__doc__)
    parser.add_argument("--n_epochs", type=number(int, 1, 999), default=8, help="passes over MNIST")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=1, help="random seed")
    args = parser.parse_args()
    begin(args)
    images, labels = load_mnist()
    torch.manual_seed(args.seed)
    rng = torch.Generator().manual_seed(args.seed)
    judge = Judge()
    optimizer = torch.optim.Adam(judge.parameters(), LEARNING_RATE)
    steps = args.n_epochs * len(images) // BATCH_SIZE
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for _ in trange(args.n_epochs, unit="epoch", disable=None):
        for batch in torch.randperm(len(images), generator=rng).split(BATCH_SIZE):
            # A batch is shifted by two pixels at most; what rolls round the border is background.
            dx, dy = torch.randint(-2, 3, (2,), generator=rng).tolist()
            logits = judge(torch.roll(images[batch], (dy, dx), (2, 3)))
            optimizer.zero_grad()
            F.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
            schedule.step()
    save_state(args.out_dir / FILE, judge.state_dict())

    images, labels = load_mnist(train=False)
    judge.eval()
    with torch.no_grad():
        digits = torch.cat([judge(batch).argmax(1) for batch in images.split(500)])
    print(f"reads {(digits == labels).double().mean():.2%} of the test images right")
    print(f"{FILE} is in {args.out_dir}")


if __name__ == "__main__":
    main()
