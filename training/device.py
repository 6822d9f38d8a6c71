"""Where the stages compute, alone or as one of several processes that a launcher started."""

from __future__ import annotations

import os

import torch


def process_count() -> int:
    """How many processes work on this stage together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this process is the one that writes files."""
    return int(os.environ.get("RANK", "0")) == 0


def device() -> torch.device:
    """This process's GPU, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def reward_device() -> torch.device:
    """Where the reward model answers: the first GPU on which no process trains, else this process's own.

    The paper keeps one GPU for it beside the six that train; here the processes share whichever is left over.
    """
    training_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if torch.cuda.is_available() and torch.cuda.device_count() > training_here:
        return torch.device("cuda", training_here)
    return device()
