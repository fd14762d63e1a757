"""How much of the gradient reaches the first digit of a palindrome, in untrained networks?

    python gradients.py

For four networks and palindromes of T = 5 to 100 digits: the norm of the loss's gradient at the
first digit, divided by its norm at the last digit read. Prints the median and the range over ten
seeds, and writes them to run/gradients.png and run/gradients.csv.
"""

import statistics

import torch
import torch.nn.functional as F

from common import add_run_flags, begin, make_parser, number, run, save, save_csv
from dataset import PalindromeDataset
from figures import gradients_figure
from train import NETWORKS, make_model


def gradient_ratio(network, T, seed, device):
    """Return ||d loss / d x(1)|| / ||d loss / d x(T-1)|| of an untrained network."""
    dataset = PalindromeDataset(T - 1, 128, one_hot=True, seed=seed)
    torch.manual_seed(seed)
    model = make_model(*NETWORKS[network], T).to(device)
    x, targets = (tensor.to(device) for tensor in dataset[:])
    x = x.double()  # at T = 100 the RNN's gradient is so small that float32 squares it to 0
    logits, _ = model.double()(x.requires_grad_())
    (dx,) = torch.autograd.grad(F.cross_entropy(logits, targets), x)
    return (dx[:, 0].norm() / dx[:, -1].norm()).item()


def main():
    """Measure each network at each length, print a line for each, draw the figure."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    lengths = {"type": number(int, 3, 500), "nargs": "+", "default": [5, 10, 20, 40, 80, 100]}
    add("--lengths", **lengths, help="palindrome lengths T")
    networks_help = "how many networks: seed, seed + 1, ..."
    add("--seeds", type=number(int, 1, 1000), default=10, help=networks_help)
    add_run_flags(parser)
    args = parser.parse_args()
    begin(args)
    seeds = range(args.seed, args.seed + args.seeds)
    device = "cpu" if args.device.type == "mps" else args.device  # mps has no float64

    print("  T  network            median      least       most")
    rows = []
    for T in sorted(set(args.lengths)):
        for network in NETWORKS:
            ratios = [gradient_ratio(network, T, seed, device) for seed in seeds]
            median, least, most = statistics.median(ratios), min(ratios), max(ratios)
            print(f"{T:3}  {network:14}  {median:9.1e}  {least:9.1e}  {most:9.1e}")
            row = {"T": T, "network": network, "median": median, "least": least, "most": most}
            rows.append(row)
    save(args.out_dir / "gradients.png", gradients_figure(rows).savefig)
    save_csv(args.out_dir / "gradients.csv", rows)
    print(f"gradients.png and gradients.csv are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
