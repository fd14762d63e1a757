"""Draw samples of a generator, in seconds.

python sample.py                      25 samples of the committed generator
python sample.py --n 100 --seed 1     100 others
"""

import math

from torchvision.utils import save_image

from common import HERE, begin, load, make_parser, number
from gan import Generator
from metrics import draw_samples


def save_grid(path, images):
    """Save images (N, 1, H, W) in [-1, 1] in one PNG, no higher than wide."""
    columns = math.ceil(math.sqrt(len(images)))
    save_image(images, path, nrow=columns, normalize=True, value_range=(-1, 1))


def main():
    """Draw the samples and save them, three times as big."""
    parser = make_parser(__doc__)
    parser.add_argument("--n", type=number(int, 1, 10_000), default=25, help="how many samples")
    parser.add_argument("--generator", default=HERE / "mnist_generator.pth", help="weights file")
    parser.add_argument("--seed", type=number(int, 0, 2**31), default=0, help="random seed")
    args = parser.parse_args()
    begin(args)
    images = draw_samples(load(args.generator, Generator.from_state_dict), args.n, args.seed)
    images = images.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)  # (n, 1, 84, 84)
    save_grid(args.out_dir / "samples.png", images)
    print(f"samples.png is in {args.out_dir}")


if __name__ == "__main__":
    main()
