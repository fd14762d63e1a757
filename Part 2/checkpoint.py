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


def save_checkpoint(path, epoch, args, players, rng, history):
    """Save all that the rest of the training depends on."""
    state = {name: player.state_dict() for name, player in players.items()}
    state |= dict(
        epoch=epoch, settings=settings_of(args), rng=rng.get_state(), history=history.clone()
    )
    save(path, lambda file: torch.save(state, file))


def restore(path, args, players, rng, history):
    """With --resume, put the state of a checkpoint back; return how many epochs are done.

    Without --resume nothing is put back and 0 returned: a finished run is overwritten. Raises
    InputError when the file cannot be read, when it was made with other settings, or when
    starting anew would overwrite a run that has not reached its end.
    """

    def put_back(state):
        if not args.resume:
            if state["epoch"] < int(state["settings"]["n_epochs"]):
                raise InputError(
                    f"{path}: an unfinished run, at epoch {state['epoch']} of "
                    f"{state['settings']['n_epochs']}; add --resume to continue it, delete the "
                    "file to start anew, or choose another --out_dir"
                )
            return 0
        ours, theirs = settings_of(args), state["settings"]
        if ours != theirs:
            names = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
            there = ", ".join(f"--{name} {theirs.get(name)} not {ours.get(name)}" for name in names)
            raise InputError(f"{path}: made with {there}; --resume needs the same settings")
        for name, player in players.items():
            player.load_state_dict(state[name])
        rng.set_state(state["rng"].cpu())
        history[: len(state["history"])] = state["history"]
        return state["epoch"]

    return load(path, args.device, put_back)
