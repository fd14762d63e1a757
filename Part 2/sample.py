"""Draw samples of a generator, in seconds.

    python sample.py                      25 samples of the committed generator
    python sample.py --n 100 --seed 1     100 others

The samples are in samples.png in out_dir.
"""

import torch

from common import HERE, add_run_flags, begin, load, make_parser, number, run
from figures import save_grid
from gan import Generator
from metrics import draw_samples


def main():
    """Draw the samples and save them."""
    parser = make_parser(__doc__)
    parser.add_argument("--n", type=number(int, 1, 10_000), default=25, help="how many samples")
    text = "width in the PNG of a pixel of a sample"
    parser.add_argument("--scale", type=number(int, 1, 20), default=3, help=text)
    parser.add_argument("--generator", default=HERE / "mnist_generator.pth", help="weights file")
    add_run_flags(parser)
    args = parser.parse_args()
    begin(args)
    generator = load(args.generator, args.device, Generator.from_state_dict)
    path = args.out_dir / "samples.png"
    images = draw_samples(generator, args.n, args.seed)
    save_grid(path, torch.kron(images, torch.ones(args.scale, args.scale, device=args.device)))
    print(f"samples in {path}")


if __name__ == "__main__":
    run(main)
