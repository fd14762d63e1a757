"""Checkpoints of a training, with bit-exact resume."""

import torch

from common import InputError, load, save

# A resumed training may have other values of these. The others stay, even those that change no
# step: grids and rows that are saved already depend on save_interval and n_measured.
MAY_CHANGE = ("n_epochs", "measure_every", "device", "out_dir", "resume")


def settings_of(args):
    """Return the settings that must not change within a training, {name: text}."""
    return {name: str(value) for name, value in vars(args).items() if name not in MAY_CHANGE}


def time_of(path):
    """Return when the file was written, in ns; None if there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def save_checkpoint(training):
    """Save the training's state and settings; InputError if another process has done so since.

    Of two that continue the same training, one so ends, and no lock can outlive its process.
    """
    path = training.args.out_dir / "checkpoint.pt"
    if time_of(path) != training.saved:
        raise InputError(f"{path}: another process trains here, too, so this one stops")
    content = {"settings": settings_of(training.args), "training": training.state_dict()}
    save(path, lambda file: torch.save(content, file))
    training.saved = time_of(path)


def start_or_resume(build, args):
    """Return the training build(args), continued if out_dir holds one, and claim out_dir for it."""
    try:
        # Of two runs that start at once, only one makes this folder.
        (args.out_dir / "images").mkdir(exist_ok=args.resume)
    except OSError as error:
        ways_out = "add --resume to continue it, or choose another --out_dir"
        raise InputError(f"{args.out_dir}: holds a training already; {ways_out}") from error
    training = build(args)
    path = args.out_dir / "checkpoint.pt"
    training.saved = time_of(path)

    def restore(content):
        now, then = settings_of(args), content["settings"]
        changed = [name for name in now | then if now.get(name) != then.get(name)]
        if changed:
            text = ", ".join(f"--{n} {then.get(n)}, now {now.get(n)}" for n in changed)
            raise InputError(f"{path}: made with {text}; --resume needs the same settings")
        training.load_state_dict(content["training"])
        if training.epoch > args.n_epochs:
            raise InputError(f"--n_epochs {args.n_epochs}: {path} has {training.epoch} already")

    if training.saved is None:
        save_checkpoint(training)  # from now on, the folder knows its settings
    else:
        load(path, args.device, restore)
    return training
