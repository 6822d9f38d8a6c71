"""Train, valid and test by post, and the proof that no held-out post was seen in training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.duplicates import runs
from training.data.records import SPLITS, Record, Split, split_of

RUN_CHARS = 13
MAX_SHARED = 0.2
"""A held-out post that shares more than this part of its runs with training posts is dropped."""


def split_of_family(groups: Iterable[str]) -> Split:
    """The split of posts that belong together: train if any of their groups is there, else valid, else test.

    So a stage that knows groups alone (pretraining) never sees the text of a held-out record.
    """
    return min((split_of(group) for group in groups), key=SPLITS.index)


class SeenRuns:
    """All runs of 13 characters of the training posts, as sorted hashes."""

    def __init__(self, posts: Iterable[str]):
        # In one piece, which is many times faster; a run across two posts matches nothing a person wrote.
        self._hashes = np.sort(runs("".join(posts), RUN_CHARS))

    def share(self, post: str) -> float:
        """The part of a post's runs that training posts hold too, 0 to 1."""
        own = np.unique(runs(post, RUN_CHARS))
        if not len(own) or not len(self._hashes):
            return 0.0
        places = np.minimum(np.searchsorted(self._hashes, own), len(self._hashes) - 1)
        return float((self._hashes[places] == own).mean())


@dataclass(frozen=True)
class Leakage:
    """The proof: what held-out posts share with training posts, after `dropped` of them were dropped."""

    run_chars: int
    held_out: int
    dropped: int
    groups_in_two_splits: int
    with_any_shared_run: int
    mean_share: float
    max_share: float


def without_leaks(by_split: dict[Split, list[Record]]) -> tuple[dict[Split, list[Record]], Leakage]:
    """Drop held-out records that repeat training posts, and measure what is left."""
    seen = SeenRuns(record.description for record in by_split["train"])
    kept: dict[Split, list[Record]] = {"train": by_split["train"]}
    shares: list[float] = []
    dropped = 0
    for split in ("valid", "test"):
        kept[split] = []
        for record in by_split[split]:
            share = seen.share(record.description)
            if share > MAX_SHARED:
                dropped += 1
            else:
                kept[split].append(record)
                shares.append(share)
    return kept, Leakage(
        run_chars=RUN_CHARS,
        held_out=len(shares),
        dropped=dropped,
        groups_in_two_splits=_shared_groups(kept),
        with_any_shared_run=sum(share > 0 for share in shares),
        mean_share=round(sum(shares) / max(1, len(shares)), 5),
        max_share=round(max(shares, default=0.0), 5),
    )


def _shared_groups(by_split: dict[Split, list[Record]]) -> int:
    groups: Sequence[set[str]] = [{record.group for record in records} for records in by_split.values()]
    return sum(len(one & other) for i, one in enumerate(groups) for other in groups[i + 1 :])
