"""The form of a draft, and whose voice it is: orders, lists, copies of the post, repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

Span = tuple[int, int]
Found = tuple[str, int, int]
"""Rule, start and end in the draft."""

ORDERS = 3
"""So many orders to the reader are a sermon."""
ITEMS = 4
"""So many items are a list."""
ECHO_LETTERS = 20
"""So many letters in a row, punctuation left out, are a copy."""
SPEAKER_RUN = 5
SPEAKER_LETTERS = 8
SPEAKER_SHARE = 0.6
"""A clause with 我, so long and made to this share of runs of the post, speaks as its writer."""
REPEATED_LETTERS = 8
SAME_PAIRS = 0.7
"""Two sentences that share so much of their pairs of letters are the same."""

QUOTED = re.compile("|".join(rf"{a}[^{b}\n]{{0,400}}{b}" for a, b in ("“”", "「」", "『』", "【】", '""')))
_SENTENCE = re.compile(r"[^\s。！？!?…](?:[^。！？!?….\n]|\.(?!\s|$))*(?:[。！？!?….]+[”」』’\"）)]*)?")


def sentences(text: str) -> list[Span]:
    """The sentences of a text, each with the marks that end it."""
    return [match.span() for match in _SENTENCE.finditer(text)]


def check(draft: str, post: str, parts: list[Span]) -> Iterator[Found]:
    """What is wrong with the draft whatever it says."""
    spoken = unquoted(draft)
    yield from _orders(spoken)
    yield from _lists(draft)
    yield from _copies(draft, spoken, post)
    yield from _speaker(spoken, post, parts)
    yield from _repeated(draft, parts)


def unquoted(text: str) -> str:
    """The text, at the same length, without what stands in quotation marks."""
    return QUOTED.sub(lambda quote: "\0" * len(quote[0]), text)


_ORDER = re.compile(
    r"(?:你|您)(?:现在|首先|也|就|还|都|更|真的|先)*(?:必须|应该|应当|务必|一定要|千万要|得(?![到了知出很有的意以体])|要(?![是不么求的]))"
    r"|[Yy]ou (?:must|should|need to|have to|ought to)\b"
)
_ITEM = re.compile(
    r"^[ \t]*(?:\d{1,2}[.、)）](?!\d)|[（(]?[一二三四五六七八九十]{1,2}[、)）.]|[A-H][.、)）](?!\w)"
    r"|[-*•·●▪][ \t]|[①-⑩]|第[一二三四五六七八九十](?:步|点|条|个)?[，、：,:])",
    re.MULTILINE,
)
_INLINE_ITEM = re.compile(
    r"(?<![\d.])\d{1,2}[.、)）](?=\s*[^\d\s])|[①-⑩]|(?<!\w)第[一二三四五六七八九十](?:步|点|条)?[，、：,:]"
)
_STEP = re.compile(
    "(?:首先|其次|再次|再者|然后|接着|最后)(?=[，,：:])|其?[一二三四五六](?:[是来则]|(?<=其.)[，,、])|Step \\d+"
)
_MARKDOWN = re.compile(r"^#{1,6} |\*\*[^*\n]+\*\*|^> |^```|^-{3,}$|\[[^\]\n]+\]\(|`[^`\n]+`|__[^_\n]+__", re.MULTILINE)
_NO_ORDER = re.compile("(?:如果|要是|假如|只要|若|告诉|跟|对|给|不是|不觉得|并不)[^，。；！？]{0,3}$")


def _orders(draft: str) -> Iterator[Found]:
    orders = [match for match in _ORDER.finditer(draft) if not _NO_ORDER.search(draft, 0, match.start())]
    if len(orders) >= ORDERS:
        yield from (("preaching", *match.span()) for match in orders)


def _lists(draft: str) -> Iterator[Found]:
    for pattern in (_ITEM, _INLINE_ITEM):
        items = list(pattern.finditer(draft))
        if len(items) >= ITEMS:
            yield "list", items[0].start(), items[-1].end()
            break
    steps = list(_STEP.finditer(draft))
    if len({step[0] for step in steps}) >= ITEMS:
        yield "list", steps[0].start(), steps[-1].end()
    yield from (("list", *match.span()) for match in _MARKDOWN.finditer(draft))


def _letters(text: str) -> tuple[str, list[int]]:
    places = [place for place, char in enumerate(text) if char.isalnum()]
    return "".join(text[place] for place in places), places


def _copies(draft: str, spoken: str, post: str) -> Iterator[Found]:
    """Runs of the post in the draft; a quotation may be twice as long."""
    told, _ = _letters(post)
    runs = {told[start : start + ECHO_LETTERS] for start in range(len(told) - ECHO_LETTERS + 1)}
    said, places = _letters(draft)
    starts = [start for start in range(len(said) - ECHO_LETTERS + 1) if said[start : start + ECHO_LETTERS] in runs]
    for _, group in groupby(enumerate(starts), key=lambda each: each[1] - each[0]):
        first, *_, last = [start for _, start in group] * 2
        start, end = places[first], places[last + ECHO_LETTERS - 1] + 1
        if _weight(spoken[start:end]) >= ECHO_LETTERS or _weight(draft[start:end]) >= 2 * ECHO_LETTERS:
            yield "echo", start, end


def _weight(text: str) -> float:
    """Letters, of which the Latin say less: five of them are worth two."""
    return sum((1 if char > "\u2e7f" else 0.4) for char in text if char.isalnum())


_I = re.compile("(?<!自)我(?!们)")
_OTHERS = re.compile("[你您]|我们")
_CLAUSE = re.compile(r"[^，。；：！？,;:!?\n\0]+")
_KIN = re.compile(
    r"(?<![对给问说诉是让叫替“])我(?:的)?(?P<kin>老公|老婆|丈夫|妻子|婆婆|公公|男朋友|女朋友|男友|女友|前夫|前妻|前男友|前女友|儿子|女儿|孩子|室友|妈妈?|爸爸?|父亲|母亲|父母|爸妈)"
)
_SAYS = re.compile(r"(?:说|讲|告诉|问|写|回|发|道|喊|叫|抄|念|开头|：|比如|例如|诸如)[^。！？\n]{0,60}$")


def _speaker(draft: str, post: str, parts: list[Span]) -> Iterator[Found]:
    told, _ = _letters(post)
    runs = {told[start : start + SPEAKER_RUN] for start in range(len(told) - SPEAKER_RUN + 1)}
    for start, end in (*parts, *(clause.span() for clause in _CLAUSE.finditer(draft))):
        said, _ = _letters(draft[start:end])
        if len(said) >= SPEAKER_LETTERS and _I.search(said) and not _OTHERS.search(said):
            shared = {
                place + offset
                for place in range(len(said) - SPEAKER_RUN + 1)
                if said[place : place + SPEAKER_RUN] in runs
                for offset in range(SPEAKER_RUN)
            }
            if len(shared) >= SPEAKER_SHARE * len(said):
                yield "wrong_person", start, end
    for match in _KIN.finditer(draft):
        if not _SAYS.search(draft, 0, match.start()):
            yield ("wrong_person" if match["kin"] in post else "persona"), *match.span()


def _repeated(draft: str, parts: list[Span]) -> Iterator[Found]:
    seen: list[set[str]] = []
    for start, end in parts:
        said, _ = _letters(draft[start:end])
        if len(said) >= REPEATED_LETTERS:
            pairs = {said[place : place + 2] for place in range(len(said) - 1)}
            if any(len(pairs & other) >= SAME_PAIRS * len(pairs | other) for other in seen):
                yield "repetition", start, end
            seen.append(pairs)
