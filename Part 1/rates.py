"""Which learning rates work? Six networks, seven rates, T = 20, 500 steps.

    python rates.py

All other settings are the defaults of train.py. Into out_dir go rates.png and rates.csv.
"""

from common import add_run_flags, begin, make_parser, number, run, save, save_csv
from dataset import PalindromeDataset
from figures import rates_figure
from networks import NETWORKS, make_network
from train import accuracy, train

T, STEPS = 20, 500
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def main():
    """Train each network with each rate and each seed; save the accuracies and the figure."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=5, help="runs: seed, seed + 1, ...")
    add_run_flags(parser, seed=300)
    args = parser.parse_args()
    begin(args)
    rows = []
    for seed in range(args.seed, args.seed + args.seeds):
        train_set, test_set = PalindromeDataset(T - 1, 100_000, True, seed).split(0.8)
        for name in NETWORKS:
            for rate in RATES:
                model = make_network(name, seed, args.device)
                train(model, [train_set], STEPS, rate, seed=seed)
                row = {"network": name, "rate": f"{rate:g}", "seed": seed}
                rows.append(row | {"accuracy": accuracy(model, test_set)})
                print(*rows[-1].values(), sep=", ")
    save_csv(args.out_dir / "rates.csv", rows)
    save(args.out_dir / "rates.png", rates_figure(rows).savefig)
    print(f"rates.png and rates.csv are in {args.out_dir}")


if __name__ == "__main__":
    run(main)
