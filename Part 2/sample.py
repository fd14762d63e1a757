"""Draw samples, in seconds: of the generator that you trained, or else of the committed one.

python sample.py                      25 samples
python sample.py --n 100 --seed 1     100 others
"""

from pathlib import Path

from common import begin, make_parser, number
from latent import draw_samples, load_generator, save_grid


def main():
    """Draw the samples and save them, three times as big."""
    parser = make_parser(__doc__)
    parser.add_argument("--n", type=number(int, 1, 10_000), default=25, help="how many samples")
    parser.add_argument("--generator", type=Path, help="weights; None: yours in run/, or else ours")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args()
    begin(args, file="sample.json")  # beside the settings.json of a training run
    images = draw_samples(load_generator(args.generator), args.n, args.seed)
    images = images.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)  # (n, 1, 84, 84)
    save_grid(args.out_dir / "samples.png", images)
    print(f"samples.png is in {args.out_dir}")


if __name__ == "__main__":
    main()
