"""The process environment the page runs in. Import it before gradio, which reads all of this while it is imported.

Whatever GRADIO_* stood there before could open a tunnel, serve files or mirror every call to a bucket, so it goes.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

_OURS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def harden(environ: MutableMapping[str, str] = os.environ) -> None:
    """Drop every GRADIO_* variable from outside and set those that keep the desk silent."""
    for name in [name for name in environ if name.upper().startswith("GRADIO_")]:
        del environ[name]
    environ.update(_OURS)


def keep_files_in(data_dir: Path) -> None:
    """Whatever gradio may yet write to disk, it writes where only this person can read. Before gradio is imported."""
    folder = data_dir / "page"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)


harden()
