"""What the scripts share: flags, one-line errors, atomic writes, tables.

Each part can be read and run alone, so both parts hold this same file.
"""

import argparse
import csv
import io
import math
import os
import signal
import sys
import tempfile
from pathlib import Path

import torch

HERE = Path(__file__).parent
# Okabe and Ito's colour-blind-safe palette.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"


class InputError(Exception):
    """Bad input; its message is the one line that the user sees."""


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the description as it is written, and each default that is not None."""

    def _get_help_string(self, action):
        return action.help if action.default is None else super()._get_help_string(action)


def make_parser(doc):
    """Return a parser with doc as its description; --help shows the defaults."""
    return argparse.ArgumentParser(description=doc, formatter_class=Formatter, allow_abbrev=False)


def number(kind, low, high=math.inf):
    """Return an argparse type: a finite int or float, at least low and at most high."""

    def parse(text):
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            value = math.nan
        if not (low <= value <= high and value < math.inf):
            name = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} from {low} to {high}")
        return value

    return parse


def device(text):
    """Return the torch.device of this name; an argparse type that refuses what does not work."""
    try:
        torch.zeros(1, device=text).item()
    except Exception as error:  # torch raises many kinds
        message = f"{text!r} is not a device of this machine; cpu always works"
        raise argparse.ArgumentTypeError(message) from error
    return torch.device(text)


def add_run_flags(parser, out_dir=HERE / "run", seed=0):
    """Add --seed, unless it is None, --device and --out_dir."""
    fastest = "cuda" if torch.cuda.is_available() else "cpu"
    if seed is not None:
        seeds = number(int, 0, 2**31)
        parser.add_argument("--seed", type=seeds, default=seed, help="random seed")
    parser.add_argument("--device", type=device, default=fastest, help="cpu, cuda, cuda:1, mps")
    parser.add_argument("--out_dir", type=Path, default=out_dir, help="folder for the files")


def begin(args):
    """Create args.out_dir; print every setting, PyTorch's version and the number of threads."""
    if hasattr(sys.stdout, "reconfigure"):  # a notebook's has not
        sys.stdout.reconfigure(line_buffering=True, errors="replace")  # for any encoding
    try:
        os.makedirs(args.out_dir, exist_ok=True)
        tempfile.TemporaryFile(dir=args.out_dir).close()
    except OSError as error:
        raise InputError(f"{args.out_dir}: not a writable folder ({error.strerror})") from error
    print(" ".join(f"{name}={value}" for name, value in vars(args).items()))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} CPU threads")


def save(path, write):
    """Write a file atomically: what write(file) writes goes to a temporary file, then to path."""
    content = io.BytesIO()  # not the file itself: on a full disk, torch.save hides what is wrong
    write(content)
    temporary = Path(path).with_name(f".tmp-{os.getpid()}-{Path(path).name}")
    try:
        temporary.write_bytes(content.getbuffer())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)


def save_csv(path, rows, show=False):
    """Save rows, dictionaries with the same keys, as csv; `show` prints them as Markdown, too."""
    if show:
        for cells in rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows):
            print(f"| {' | '.join(map(str, cells))} |")
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    save(path, lambda file: file.write(text.getvalue().encode()))


def save_weights(path, model):
    """Save the model's state_dict, on the CPU."""
    weights = {name: weight.detach().cpu() for name, weight in model.state_dict().items()}
    save(path, lambda file: torch.save(weights, file))


def load(path, device, build):
    """Return build(content) for what torch.save wrote to path; InputError when that fails."""
    try:
        return build(torch.load(path, map_location=device, weights_only=True))
    except (InputError, MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:  # a damaged or foreign file raises many kinds
        text = " ".join(f"{type(error).__name__}: {error}".split())
        reason = "".join(filter(str.isprintable, text))  # torch colours its messages
        raise InputError(f"{path}: does not hold what is needed here ({reason:.150})") from error


def run(main):
    """Call main; end bad input in one line and exit code 2, and Ctrl-C in exit code 130."""
    name = os.path.basename(sys.argv[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that save can tidy up
    try:
        main()
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # mostly of standard output, closed by `head` or full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that exit can flush it
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
