"""Where the stages compute."""

from __future__ import annotations

import torch


def device() -> torch.device:
    """The one GPU that torch sees, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
