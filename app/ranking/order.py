"""What each person sees in which order: drawn from the round's seed, the same whenever it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def draw(seed: int, *names: object) -> int:
    """A number that looks random and is the same on every machine: of SHA-256, over the seed and what it is for."""
    text = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def item_order(seed: int, person_id: int, items: Sequence[int]) -> list[int]:
    """In which order one person is asked for the items, so that not all are tired at the same post."""
    return sorted(items, key=lambda item: draw(seed, "item", person_id, item))


def shown_order(seed: int, person_id: int, items: Sequence[int], item: int, systems: Sequence[int]) -> list[int]:
    """The systems in the order in which this person sees their answers to one item.

    Balanced: of n systems, over each n items that follow one another each stands once at every position. A drawn order
    is turned on by one from item to item, and drawn anew after n.
    """
    block, turn = divmod(item_order(seed, person_id, items).index(item), len(systems))
    drawn = sorted(systems, key=lambda system: draw(seed, "system", person_id, block, system))
    return drawn[turn:] + drawn[:turn]
