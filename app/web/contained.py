"""Two habits of gradio that a desk cannot have, taken away. Import it before a page is built.

Every event's input is searched for what looks like a file, also that of a plain text box: a path is copied into a
folder of temporary files, an address is fetched. No component of ours takes or gives files, so data stays as it is.

And what a handler raises is printed with its message, which may quote what a person typed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from typing import Any

from gradio import processing_utils
from gradio.data_classes import GradioModel, GradioRootModel


def _as_it_is(data: Any, *_: Any, **__: Any) -> Any:
    return data.model_dump() if isinstance(data, GradioModel | GradioRootModel) else data


async def _as_it_is_later(data: Any, *_: Any, **__: Any) -> Any:
    return _as_it_is(data)


def place(error: BaseException) -> str:
    """Class and place of an error; its message is left out."""
    steps = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (f" in {steps[-1].filename}:{steps[-1].lineno}" if steps else "")


def _print_place(*_: Any, **__: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None:
        sys.stderr.write(f"{place(error)}\n")


class _Places(logging.Filter):
    """The same for what the server logs. That a closing desk cuts off the pages which listen is no error at all."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return "timeout graceful shutdown exceeded" not in str(record.msg)
        record.msg, record.args, record.exc_info, record.exc_text = place(error), (), None, None
        return not isinstance(error, asyncio.CancelledError)


def contain() -> None:
    """Done once, when this module is imported."""
    processing_utils.async_move_files_to_cache = _as_it_is_later
    processing_utils.move_files_to_cache = _as_it_is
    traceback.print_exc = _print_place
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(_Places())


contain()
