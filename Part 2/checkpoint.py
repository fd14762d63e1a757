"""Checkpoints of a training, with bit-exact resume."""

import torch

from common import InputError, load, save

# A resumed training may have other values of these. The others stay, even those that change no
# step: grids and rows that are saved already depend on save_interval and n_measured.
MAY_CHANGE = ("n_epochs", "measure_every", "device", "out_dir", "resume")


def settings_of(args):
    """Return the settings that must not change within a training, {name: text}."""
    return {name: str(value) for name, value in vars(args).items() if name not in MAY_CHANGE}


def save_checkpoint(training):
    """Save the training's state and settings in its out_dir."""
    content = {"settings": settings_of(training.args), "training": training.state_dict()}
    save(training.args.out_dir / "checkpoint.pt", lambda file: torch.save(content, file))


def start_or_resume(build, args):
    """Return the training build(args), continued where args.resume and its checkpoint are there."""
    path, images = args.out_dir / "checkpoint.pt", args.out_dir / "images"
    if path.exists() and not args.resume:
        ways_out = "add --resume to continue it, or choose another --out_dir"
        raise InputError(f"{args.out_dir}: holds a training already; {ways_out}")
    if not path.exists() and images.exists() and any(images.iterdir()):
        raise InputError(f"{images}: holds files of no training here; choose another --out_dir")
    images.mkdir(exist_ok=True)
    training = build(args)

    def restore(content):
        now, then = settings_of(args), content["settings"]
        changed = [name for name in now | then if now.get(name) != then.get(name)]
        if changed:
            text = ", ".join(f"--{n} {then.get(n)}, now {now.get(n)}" for n in changed)
            raise InputError(f"{path}: made with {text}; --resume needs the same settings")
        training.load_state_dict(content["training"])
        if training.epoch > args.n_epochs:
            raise InputError(f"--n_epochs {args.n_epochs}: {path} has {training.epoch} already")

    if path.exists():
        load(path, args.device, restore)
    else:
        save_checkpoint(training)  # from now on, the folder knows its settings
    return training
