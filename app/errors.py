"""Errors a person can act on. Raised low with a code and values; turned into a sentence at the edges (page, CLI)."""

from __future__ import annotations


class DeskError(Exception):
    """`code` names the sentence in `app.web.words`; `values` fill it. Values never hold text that a person typed."""

    def __init__(self, code: str, **values: object):
        super().__init__(code, values)
        self.code = code
        self.values = values
