"""What the scripts share: flags that say what they allow, errors in one line, files never torn.

Each part can be read and run alone, so both parts hold this same file.
"""

import argparse
import io
import math
import os
import sys
import tempfile
import time
import warnings
import zipfile

import torch
from tqdm import tqdm

# One colour for one thing in every figure: Okabe and Ito's colour-blind-safe palette.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"


class InputError(Exception):
    """Bad input of any kind; its message is the one line that the user sees."""


def one_line(message):
    """The message without line breaks, which a file's name or a library's error may hold."""
    return " ".join(str(message).split())


def make_parser(doc):
    """Return argparse's parser, described by the first line of doc, that shows each default."""
    return argparse.ArgumentParser(
        description=doc.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )


def number(kind, low, high=math.inf, ends="[]"):
    """Argparse type: a finite int or float from low to high; ends, as in "[)", says which count."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        above = value >= low if ends[0] == "[" else value > low
        below = value <= high if ends[1] == "]" else value < high
        if not (above and below and value < math.inf):
            bound = f"{high}{ends[1]}" if high < math.inf else "inf)"
            name = {int: "a whole number", float: "a number"}[kind]
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} in {ends[0]}{low}, {bound}")
        return value

    return parse


def device(text):
    """Argparse type: a device on which this machine can compute."""
    try:
        torch.zeros(1, device=text).item()
    except Exception as error:  # torch raises many kinds
        usable = "cpu" + ", cuda" * torch.cuda.is_available()
        usable += ", mps" * torch.backends.mps.is_available()
        message = f"{text!r} is not a device that works here ({usable})"
        raise argparse.ArgumentTypeError(message) from error
    return torch.device(text)


def add_run_flags(parser, out_dir=None):
    """Add --seed, --device and, if the script writes files, --out_dir with this default."""
    best = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--seed", type=number(int, 0, 2**63 - 1), default=0, help="random seed")
    parser.add_argument("--device", type=device, default=best, help="cpu, cuda, cuda:1, mps, ...")
    if out_dir:
        parser.add_argument("--out_dir", default=out_dir, help="folder for what the script writes")


def show_settings(args):
    """Print every setting on one line, the first that a script writes."""
    print(" ".join(f"{name}={value}" for name, value in vars(args).items()))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} CPU threads", flush=True)


class Progress(tqdm):
    """tqdm's bar on a terminal; without one, a line every half minute, lest it seem to hang."""

    def __init__(self, total, unit, **options):
        super().__init__(total=total, unit=f" {unit}", disable=None, **options)
        self.what, self.start = unit, time.monotonic()
        self.said = self.start

    def update(self, n=1):
        """Count n more, and show it when it is time to."""
        if not self.disable:
            return super().update(n)
        self.n += n
        now = time.monotonic()
        if now - self.said >= 30:
            self.said = now
            print(f"{self.n:,} of {self.total:,} {self.what} after {now - self.start:.0f} s")
            sys.stdout.flush()
        return None


def make_folder(path):
    """Create the folder and prove that it can be written, before hours are spent on its content."""
    try:
        os.makedirs(path, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise InputError(f"{path}: not a folder that can be written ({error.strerror})") from error


def save(path, write):
    """Put what write(file) writes at path, whole or not at all."""
    buffer = io.BytesIO()
    write(buffer)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".tmp-{os.getpid()}-{name}")
    try:
        with open(temporary, "wb") as file:
            file.write(buffer.getbuffer())
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError):
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        raise


def load(path, device, build):
    """Return build(what torch.save wrote to path), its tensors on device.

    Only data is read: a pickle that would run code raises InputError, as does whatever else
    build cannot use, and a file with a damaged bit, which torch.load alone would not notice.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # compares checksums
        if damaged:
            raise InputError(f"{path}: damaged at {damaged!r}")
        with warnings.catch_warnings():  # what torch warns of in a foreign file, build refuses
            warnings.simplefilter("ignore")
            return build(torch.load(path, map_location=device, weights_only=True))
    except InputError:
        raise
    except Exception as error:  # a damaged file raises many kinds
        reason = f"{type(error).__name__}: {one_line(error):.200}"
        raise InputError(f"{path}: cannot be loaded ({reason})") from error


def run(main, hint=""):
    """Call main; bad input, a full disk or memory: one line and code 2; Ctrl-C: code 130.

    A reader of the output that has gone, as `head` does, ends the script with code 141.
    """
    name = os.path.basename(sys.argv[0])
    try:
        main()
        print(end="", flush=True)  # here, since an error at exit would be a traceback
        return
    except BrokenPipeError:
        line, code = "", 141
    except (InputError, OSError) as error:
        line, code = f"{name}: error: {one_line(error)}", 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        line, code = f"{name}: error: smaller numbers, please: {one_line(error)}", 2
    except KeyboardInterrupt:
        line, code = f"\n{name}: interrupted; {hint}".rstrip("; "), 130
    if line:
        print(line, file=sys.stderr)
    try:
        print(end="", flush=True)
    except OSError:  # nobody takes what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
