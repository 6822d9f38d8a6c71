"""Where the stages compute: the one GPU that torch sees, else the CPU."""

from __future__ import annotations

from typing import Any

import torch


def device() -> torch.device:
    """The device of this machine."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def trainer_settings() -> dict[str, Any]:
    """What the trainers of transformers, TRL and sentence-transformers must be told of it."""
    on_cpu = device().type == "cpu"
    return {"use_cpu": on_cpu, "dataloader_pin_memory": not on_cpu}
