"""The format as a GBNF grammar, for engines that constrain sampling instead of forcing the tags."""

from __future__ import annotations

import json

from app.chain.spec import frame


def gbnf() -> str:
    """A grammar whose language is what `render` writes: the fixed text of the frame around sections of `[^<]+`."""
    # A JSON string literal escapes exactly as a GBNF one does for the characters that occur in the frame.
    root = " ".join(json.dumps(fixed) + (" section" if name else "") for fixed, name in frame())
    return f"root ::= {root}\nsection ::= [^<]+\n"
