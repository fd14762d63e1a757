"""What the scripts share: validated flags, one-line errors, atomic writes.

Each part can be read and run alone, so both parts hold this same file.
"""

import argparse
import math
import os
import pickle
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import torch

HERE = Path(__file__).parent

# What the loading of a damaged or foreign file raises.
FOREIGN = zipfile.BadZipFile, zlib.error, pickle.UnpicklingError
DAMAGE = OSError, EOFError, RuntimeError, ValueError, *FOREIGN

# Okabe and Ito's colour-blind-safe palette.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#777777"


class InputError(Exception):
    """Bad input; its message is the one line that the user sees."""


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the description as it is written, and each default that is not None."""

    def _get_help_string(self, action):
        return action.help if action.default is None else super()._get_help_string(action)


def make_parser(doc):
    """Return a parser with doc as its description; --help shows the defaults."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=HelpFormatter, allow_abbrev=False
    )


def number(kind, low, high=math.inf):
    """Return an argparse type: a finite int or float, at least low and at most high."""

    def parse(text):
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            value = None
        if value is None or not (low <= value <= high and value < math.inf):
            name = "a whole number" if kind is int else "a number"
            bounds = f"from {low} to {high}" if high < math.inf else f"of at least {low}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} {bounds}")
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
    """Add --device, and --seed and --out_dir unless their default is None."""
    fastest = "cuda" if torch.cuda.is_available() else "cpu"
    if seed is not None:
        seeds = number(int, 0, 2**63 - 1)
        parser.add_argument("--seed", type=seeds, default=seed, help="random seed")
    parser.add_argument("--device", type=device, default=fastest, help="cpu, cuda, cuda:1, mps")
    if out_dir is not None:
        files = {"type": Path, "default": out_dir, "help": "folder for the script's files"}
        parser.add_argument("--out_dir", **files)


def begin(args):
    """Print every setting, PyTorch's version and the number of threads; create args.out_dir."""
    if hasattr(sys.stdout, "reconfigure"):  # not in a notebook
        sys.stdout.reconfigure(line_buffering=True)  # a log file shows each line at once
    if "out_dir" in args:
        make_folder(args.out_dir)
    print(" ".join(f"{name}={value}" for name, value in vars(args).items()))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} CPU threads")


def print_row(*cells):
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(map(str, cells))} |")


def print_heads(*heads):
    """Print the header of a Markdown table."""
    print_row(*heads)
    print_row(*["---"] * len(heads))


def make_folder(path):
    """Create the folder; raise InputError now, not after the training, if it is not writable."""
    try:
        os.makedirs(path, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise InputError(f"{path}: not a writable folder ({error.strerror})") from error


def save(path, write):
    """Write a file atomically: call write(file) on a temporary file, then rename it to path."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".tmp-{os.getpid()}-{name}")
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def save_csv(path, rows):
    """Save rows, a list of dictionaries with the same keys, as csv with a header."""
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    text = "".join(",".join(map(str, line)) + "\n" for line in lines)
    save(path, lambda file: file.write(text.encode()))


def save_weights(path, model):
    """Save the model's weights, moved to the CPU."""
    weights = {name: w.cpu() for name, w in model.state_dict().items()}
    save(path, lambda file: torch.save(weights, file))


def is_out_of_memory(error):
    """Return whether memory ran out, on a GPU or, as a plain RuntimeError, on the CPU."""
    known = isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError))
    return known or "can't allocate memory" in str(error)


def load(path, device):
    """Return what torch.save wrote to path, its tensors on device.

    Raises InputError when the file is missing or damaged, or holds more than tensors and plain
    data. torch.load alone would not notice a flipped bit; the checksums of the zip file do.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise InputError(f"{path}: damaged at {damaged!r}")
        with warnings.catch_warnings(action="ignore"):  # the error is enough
            return torch.load(path, map_location=device, weights_only=True)
    except DAMAGE as error:
        if is_out_of_memory(error):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: cannot be loaded ({reason:.200})") from error


def load_model(path, device, build):
    """Return build(weights), a model made of the weights {name: tensor} in the file at path.

    Raises InputError as load does, when the file holds no weights, and when build raises KeyError,
    IndexError or RuntimeError, as it does for another model's weights.
    """
    weights = load(path, device)
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise InputError(f"{path}: holds no weights")
    try:
        return build(weights)
    except (KeyError, IndexError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: holds another model's weights ({reason:.200})") from error


def run(main):
    """Call main. Bad input and a lack of memory end in one line and exit code 2, Ctrl-C in 130. A
    bug keeps its traceback."""
    name = os.path.basename(sys.argv[0])
    try:
        main()
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(f"{name}: error: out of memory; choose smaller settings", file=sys.stderr)
        sys.exit(2)
