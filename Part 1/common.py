"""What the scripts share: flags, one-line errors, atomic writes, all cores.

Each part can be read and run alone, so both parts hold this same file.
"""

import argparse
import contextlib
import io
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from tqdm import tqdm

HERE = Path(__file__).parent


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
        with contextlib.suppress(ValueError, OverflowError):
            value = kind(text)
            if low <= value <= high and math.isfinite(value):
                return value
        name = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {name} from {low} to {high}")

    return parse


def device(text):
    """Return the torch.device of this name; an argparse type that refuses what does not work."""
    try:
        torch.zeros(1, device=text).item()
    except Exception as error:  # torch raises many kinds
        message = f"{text!r} is not a device of this machine; cpu always works"
        raise argparse.ArgumentTypeError(message) from error
    return torch.device(text)


def add_run_flags(parser, seed=0):
    """Add --seed, whose default is given, --device and --out_dir."""
    seeds, fastest = number(int, 0, 2**31), "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--seed", type=seeds, default=seed, help="random seed")
    parser.add_argument("--device", type=device, default=fastest, help="cpu, cuda, cuda:1, mps")
    parser.add_argument("--out_dir", type=Path, default=HERE / "run", help="folder for the files")


def add_jobs_flags(parser, seed, seeds):
    """Add the flags of add_run_flags, --seeds, and --jobs, whose default is one for each core."""
    add_run_flags(parser, seed)
    count, text = number(int, 1, 10_000), "runs: seed, seed + 1, ..."
    parser.add_argument("--seeds", type=count, default=seeds, help=text)
    text = "trainings at the same time, one thread each; on a GPU one"
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help=text)


def begin(args):
    """Create args.out_dir; print every setting, PyTorch's version and the number of threads."""
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


def save_weights(path, model):
    """Save the model's state_dict, on the CPU."""
    weights = {name: weight.detach().cpu() for name, weight in model.state_dict().items()}
    save(path, lambda file: torch.save(weights, file))


def load(path, device, build):
    """Return build(content) of the dictionary that torch.save wrote to path.

    InputError where torch.load refuses the file, or build finds other keys, shapes or values.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged or foreign file raises many kinds
        raise InputError(f"{path}: cannot be loaded ({type(error).__name__})") from error
    try:
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
        return build(content)
    except (KeyError, ValueError, RuntimeError) as error:  # of load_state_dict, too
        text = " ".join(str(error).split())
        raise InputError(f"{path}: does not hold what is needed here ({text:.150})") from error


def start_worker():
    """Prepare a process of `each`: one thread, deaf to Ctrl-C, gone when its parent is."""

    def end_with_parent():
        multiprocessing.parent_process().join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def in_processes(function, jobs, n):
    """Yield function(job) in the order of the jobs, from n processes; an error shows at once."""
    pool = ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), start_worker)
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # workers are deaf from their birth
    futures = [pool.submit(function, job) for job in jobs]
    waiting = list(futures)
    try:
        signal.signal(signal.SIGINT, handler)
        for future in as_completed(futures):
            future.result()  # an error is raised here, and not behind a long job
            while waiting and waiting[0].done():
                yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


def each(function, jobs, args):
    """Yield (job, function(job)) in the order of the jobs, args.jobs at the same time.

    Each has one thread, so any number of processes gives the same bits. On a GPU, or with one job
    at a time, all run in this process.
    """
    torch.set_num_threads(1)
    n = min(args.jobs, len(jobs)) if args.device.type == "cpu" else 1
    results = in_processes(function, jobs, n) if n > 1 else map(function, jobs)
    with tqdm(total=len(jobs), unit="job", disable=None) as bar:
        for job, result in zip(jobs, results, strict=True):
            bar.update()
            bar.clear()  # for what the caller prints
            yield job, result
            bar.refresh()


def run(main):
    """Call main; end bad input in one line and exit code 2, and Ctrl-C in exit code 130."""
    name = os.path.basename(sys.argv[0])
    try:
        main()
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # of standard output, closed by `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that exit can flush it
        sys.exit(2)
