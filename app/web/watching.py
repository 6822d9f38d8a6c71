"""Which draft each open page shows, so that a follower of another one ends and a late reply changes nothing."""

from __future__ import annotations

import gradio as gr

NOTHING = 0
"""No draft has this id."""


class Watching:
    """By the session that gradio gives each loaded page."""

    def __init__(self) -> None:
        self._shown: dict[str | None, int] = {}

    def turn_to(self, request: gr.Request, draft_id: int) -> None:
        """The page shows that draft from now on, or `NOTHING`."""
        self._shown[request.session_hash] = draft_id

    def follows(self, request: gr.Request, draft_id: int) -> bool:
        """Whether the page has turned to that draft and to no other since."""
        return self._shown.get(request.session_hash) == draft_id

    def shows(self, request: gr.Request, draft_id: int) -> bool:
        """The same; but a page from before a restart is taken at its word."""
        return self._shown.get(request.session_hash, draft_id) == draft_id

    def is_idle(self, request: gr.Request) -> bool:
        """Whether the page shows no draft."""
        return self._shown.get(request.session_hash, NOTHING) == NOTHING

    def leave(self, request: gr.Request) -> None:
        """The page is gone."""
        self._shown.pop(request.session_hash, None)
