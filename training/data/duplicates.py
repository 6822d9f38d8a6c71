"""Near-duplicates: MinHash over 5-character runs finds them, and what hangs together becomes one record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH

RUN_CHARS = 5
PERMUTATIONS = 64
SIMILAR_POSTS = 0.7
"""Jaccard similarity of two posts' runs from which they count as the same post."""
SIMILAR_ANSWERS = 0.6
"""The same for two answers to one post, of which only one is then kept."""

_MULTIPLIER = np.uint64(6364136223846793005)
_DRAWN = MinHash(PERMUTATIONS)


def runs(text: str, length: int) -> np.ndarray:
    """Hashes (N,) uint64 of all runs of `length` characters, white space and punctuation left out; N may be 0."""
    letters = "".join(filter(str.isalnum, text))
    codes = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    if len(codes) < length:
        return np.empty(0, np.uint64)
    hashed = np.zeros(len(codes) - length + 1, np.uint64)
    for offset in range(length):
        hashed = hashed * _MULTIPLIER + codes[offset : offset + len(hashed)]
    return hashed ^ (hashed >> np.uint64(31))


def sketch(text: str) -> MinHash:
    """The MinHash of a text; two of them estimate how much the texts share."""
    # The runs are hashed already, so the sketch takes them as they are. Drawing the permutations anew each time would
    # cost more than all else here.
    minhash = MinHash(PERMUTATIONS, hashfunc=int, permutations=_DRAWN.permutations, scheme=_DRAWN.scheme)
    minhash.update_batch((runs(text, RUN_CHARS) & np.uint64(0xFFFFFFFF)).tolist())
    return minhash


class Families:
    """Which items belong together (disjoint sets, by index)."""

    def __init__(self) -> None:
        self._parent: list[int] = []

    def __len__(self) -> int:
        return len(self._parent)

    def add(self) -> int:
        """A new item, alone at first; returns its index."""
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def head(self, item: int) -> int:
        """The first item of the family of `item`."""
        while self._parent[item] != item:
            self._parent[item] = item = self._parent[self._parent[item]]
        return item

    def join(self, one: int, other: int) -> None:
        """Make two families one."""
        one, other = sorted((self.head(one), self.head(other)))
        self._parent[other] = one


def families(posts: Iterable[tuple[str, str]]) -> list[int]:
    """For each (group, text) the index of the first post of its family.

    Posts of one group belong together, and so do posts whose runs are alike.
    """
    joined = Families()
    index = MinHashLSH(threshold=SIMILAR_POSTS, num_perm=PERMUTATIONS)
    first_of_group: dict[str, int] = {}
    first_of_text: dict[str, int] = {}
    sketches: dict[int, MinHash] = {}
    for group, text in posts:
        item = joined.add()
        joined.join(first_of_group.setdefault(group, item), item)
        same = first_of_text.setdefault(text, item)
        if same != item:
            joined.join(same, item)
            continue
        minhash = sketch(text)
        for key in index.query(minhash):
            if sketches[key].jaccard(minhash) >= SIMILAR_POSTS:
                joined.join(key, item)
        index.insert(item, minhash, check_duplication=False)
        sketches[item] = minhash
    return [joined.head(item) for item in range(len(joined))]


def distinct(texts: Sequence[str]) -> list[str]:
    """The texts in order, without those that resemble an earlier one."""
    different = list(dict.fromkeys(texts))
    if len(different) == 1:
        return different
    kept: list[tuple[str, np.ndarray]] = []
    for text in different:
        own = np.unique(runs(text, RUN_CHARS))
        if all(_jaccard(own, other) < SIMILAR_ANSWERS for _, other in kept):
            kept.append((text, own))
    return [text for text, _ in kept]


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)
