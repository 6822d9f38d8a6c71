"""How much memory a process holds with one GGUF loaded: measured in a process of its own, for the model's card."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import llama_cpp
import psutil


def memory_mb(path: Path, context_tokens: int) -> int:
    """Resident memory of a fresh Python with the model loaded, a full context allocated and one text read, in MB.

    Raises:
        subprocess.CalledProcessError: if llama.cpp cannot load the file.
    """
    command = [sys.executable, "-m", "training.conversion.footprint", str(path), str(context_tokens)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main(path: str, context_tokens: int) -> None:
    """Load the model, use it once, and print what the process holds in MB."""
    model = llama_cpp.Llama(path, n_ctx=context_tokens, n_batch=256, n_ubatch=256, verbose=False)
    model.eval(model.tokenize("你好".encode(), add_bos=False))
    sys.stdout.write(f"{round(psutil.Process().memory_info().rss / 1e6)}\n")
    model.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
