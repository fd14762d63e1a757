"""Checkpoints of train.py, with bit-exact resume."""

import torch

from common import InputError, load, save


def settings_of(args):
    """Return all settings but out_dir and resume, {name: text}: those that decide the result."""
    others = ("out_dir", "resume")
    return {name: str(value) for name, value in vars(args).items() if name not in others}


def save_checkpoint(path, game):
    """Save the state of the game and the settings that it depends on."""
    state = {"settings": settings_of(game.args), "game": game.state_dict()}
    save(path, lambda file: torch.save(state, file))


def resume(path, game):
    """Restore the game from the checkpoint at path.

    Raises InputError when the file cannot be read, is no checkpoint of this code, or has other
    settings.
    """
    state = load(path, game.args.device)
    if not isinstance(state, dict) or state.keys() != {"settings", "game"}:
        raise InputError(f"{path}: holds no checkpoint of this train.py")
    ours, theirs = settings_of(game.args), state["settings"]
    if ours != theirs:
        names = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
        there = ", ".join(f"--{name} {theirs.get(name)}, now {ours.get(name)}" for name in names)
        raise InputError(f"{path}: made with {there}; --resume needs the same settings")
    try:
        game.load_state_dict(state["game"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: made by another version of train.py") from error
