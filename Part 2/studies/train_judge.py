"""Train the judge, the small CNN that reads digits and provides the features of the measures.

    python -m studies.train_judge                    into studies/run/judge/

All scripts use the judge whose file lies beside judge.py. A new one counts only when you copy it
there, and then everything that it measures has to be measured again.

Of the GAN's settings, the judge has chosen only the order of the two networks in a step. After some
95 seconds of training on two CPU cores, it reads more than 99 % of MNIST's test images right.
"""

import torch
import torch.nn.functional as F
from tqdm import trange

from common import HERE, begin, make_parser, number, save_state
from judge import FILE, Judge
from latent import in_batches
from mnist import load_mnist

BATCH_SIZE, LEARNING_RATE = 100, 4e-3  # the peak of a one-cycle schedule


def main():
    """Train the judge, save its weights, print its accuracy."""
    parser = make_parser(__doc__, HERE / "studies" / "run" / "judge")
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
    right = in_batches(judge, images).argmax(1) == labels
    print(f"reads {right.double().mean():.2%} of the test images right")
    print(f"{FILE} is in {args.out_dir}")


if __name__ == "__main__":
    main()
