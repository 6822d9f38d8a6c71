"""What a page says about the text it shows: numbers that went through a browser, so anybody may have changed them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile("[0-9]{1,18}")


def number(text: object) -> int | None:
    """An id or a version as the browser sent it; None for everything else, and for what no database can hold."""
    return int(str(text)) if _NUMBER.fullmatch(str(text)) else None


@dataclass(frozen=True)
class Sheet:
    """Which draft a page shows, and which version its boxes stand on."""

    draft_id: int
    version: int

    def __str__(self) -> str:
        return f"{self.draft_id}/{self.version}"

    @classmethod
    def read(cls, text: object) -> Sheet | None:
        """What the browser sent back; None for a page without a draft."""
        first, _, second = str(text or "").partition("/")
        draft_id, version = number(first), number(second)
        return None if draft_id is None or version is None else cls(draft_id, version)

    @classmethod
    def standing(cls, sheet: object, saved: object) -> Sheet | None:
        """What the boxes show now.

        Args:
            sheet: written together with the boxes, and by nothing else.
            saved: written by a save's reply. One that comes late, under the boxes of another draft, names its own
                draft and so counts for nothing there.
        """
        filled, kept = cls.read(sheet), cls.read(saved)
        return kept if filled and kept and kept.draft_id == filled.draft_id else filled
