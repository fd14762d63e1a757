"""What lets an interrupted training go on to the very same bits."""

import os
from contextlib import suppress

import torch
from common import InputError, load, save


def claim(folder):
    """Keep other runs out of the folder until this process ends, however it ends.

    Raises InputError when another run holds it. Where the system has no such lock, nothing happens.
    """
    with suppress(ImportError, OSError):
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)  # never closed: the lock ends with the process
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"{folder}: another run writes here; let it end, or choose another --out_dir"
            raise InputError(message) from error


def settings_of(args):
    """Return the settings that decide the result, as text."""
    elsewhere = ("out_dir", "data_dir", "resume")
    return {name: str(value) for name, value in vars(args).items() if name not in elsewhere}


PLAYERS = "generator", "discriminator", "averaged", "optimizer_g", "optimizer_d"


def save_checkpoint(path, args, game):
    """Save all that the rest of the training depends on."""
    state = {name: getattr(game, name).state_dict() for name in PLAYERS}
    state |= dict(settings=settings_of(args), epoch=game.epoch, quality=game.quality)
    state |= dict(rng=game.rng.get_state(), history=game.history[: game.step].clone())
    save(path, lambda file: torch.save(state, file))


def save_csv(path, rows):
    """Save rows, [{column: value}] with the same columns in each, as csv with a header."""
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    text = "".join(",".join(map(str, line)) + "\n" for line in lines)
    save(path, lambda file: file.write(text.encode()))


def resume(path, args, game):
    """With --resume, put the state of a checkpoint back into the game, if there is one.

    Without --resume, a finished run will be overwritten. Raises InputError when the file cannot be
    read, when it was made with other settings, or when starting anew would overwrite a run that
    has not reached its end.
    """

    def put_back(state):
        epoch, n_epochs = state["epoch"], int(state["settings"]["n_epochs"])
        if not args.resume:
            if epoch < n_epochs:
                raise InputError(
                    f"{path}: an unfinished run, at epoch {epoch} of {n_epochs}; add --resume to "
                    "continue it, delete the file to start anew, or choose another --out_dir"
                )
            return
        ours, theirs = settings_of(args), state["settings"]
        if ours != theirs:
            names = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
            there = ", ".join(f"--{name} {theirs.get(name)} not {ours.get(name)}" for name in names)
            raise InputError(f"{path}: made with {there}; --resume needs the same settings")
        for name in PLAYERS:
            getattr(game, name).load_state_dict(state[name])
        game.rng.set_state(state["rng"].cpu())
        game.epoch, game.quality, game.step = epoch, state["quality"], len(state["history"])
        game.history[: game.step] = state["history"]

    if path.exists():
        load(path, args.device, put_back)
    elif args.resume:
        print(f"no {path.name} in {path.parent} yet: starting at epoch 1", flush=True)
