"""Checkpoints of a training, with bit-exact resume."""

import torch

from common import InputError, load, save

# These settings change no step that has been made, so a resumed training may have others.
MAY_CHANGE = ("n_epochs", "measure_every", "device", "out_dir", "resume")


def settings_of(args):
    """Return the settings that must not change within a training, {name: text}."""
    return {name: str(value) for name, value in vars(args).items() if name not in MAY_CHANGE}


def save_checkpoint(path, training):
    """Save the state of the training and the settings that it depends on."""
    content = {"settings": settings_of(training.args), "training": training.state_dict()}
    save(path, lambda file: torch.save(content, file))


def resume(path, training):
    """Restore the training from path; InputError when the file does not fit its settings."""

    def restore(content):
        now = settings_of(training.args)
        then = content["settings"]
        changed = [name for name in now | then if now.get(name) != then.get(name)]
        if changed:
            text = ", ".join(f"--{n} {then.get(n)}, now {now.get(n)}" for n in changed)
            raise InputError(f"{path}: made with {text}; --resume needs the same settings")
        training.load_state_dict(content["training"])

    load(path, training.args.device, restore)
