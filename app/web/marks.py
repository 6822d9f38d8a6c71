"""What is marked in the texts of a draft, as JSON for `static/marks.js`: evidence, lint, and the reasons of a score.

Every message carries the texts that it was made from, and its places count UTF-16 units, as the browser does: what no
longer stands in a box is not marked there. The sentences come ready from here; the script holds none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.chain import ANSWER_TAG, post_text
from app.evidence import Claim, evidence
from app.safety.lint import Finding, lint
from app.safety.lint_form import Span
from app.score_reasons import USUAL_CHARS, Part, ScoreReasons
from app.web.words import Words

CLAIMING = ("L1", "L2")
"""The layers whose sentences speak of the post; the others speak of what to do."""
POINTS_TOLD = 2
"""Half of all sentences move the percentile by less."""
QUOTE_CHARS = 24

Mark = dict[str, Any]


def draft_marks(
    words: Words, title: str, description: str, texts: Mapping[str, str], signal_kinds: tuple[str, ...] = ()
) -> str:
    """Evidence of the layers and lint of the answer.

    Args:
        words: the language of the notes.
        title: as the page shows it; so are the other texts.
        description: see `title`.
        texts: by section; what is missing or blank gets no marks.
        signal_kinds: the signals that stand for the post, as `lint` takes them.
    """
    post = post_text(title, description)
    answer = texts.get(ANSWER_TAG, "")
    findings = lint(answer, post, signal_kinds) if answer.strip() else ()
    marked = {name: texts.get(name, "") for name in (*CLAIMING, ANSWER_TAG)}
    boxes = {name: _claims(words, marked[name], title, description) for name in CLAIMING}
    boxes[ANSWER_TAG] = [_finding(words, answer, finding) for finding in findings if finding.start is not None]
    lacking = [_finding(words, answer, finding) for finding in findings if finding.start is None]
    return _message(words, "notes_label", {"title": title, "description": description, **marked}, boxes, lacking)


def reason_marks(words: Words, answer: str, reasons: ScoreReasons) -> str:
    """The strongest sentence in either direction, what stands out, and what the score does not say."""
    notes = [_note("flag", words(f"flag_{flag}", **_figures(reasons))) for flag in reasons.flags]
    told = [part for part in _strongest(reasons.parts) if abs(part.percentile) >= POINTS_TOLD]
    if reasons.parts and not told:
        notes.append(_note("flag", words("reason_even")))
    notes.append(_note("about", words("reason_about")))
    return _message(
        words, "notes_reasons", {ANSWER_TAG: answer}, {ANSWER_TAG: [_part(words, answer, part) for part in told]}, notes
    )


def _message(
    words: Words,
    label: str,
    texts: Mapping[str, str],
    boxes: Mapping[str, Sequence[Mark]],
    notes: Sequence[Mark],
) -> str:
    said = {"label": words(label), "must": words("notes_must"), "drop": words("notes_drop")}
    return json.dumps({"texts": texts, "boxes": boxes, "notes": notes, "words": said}, ensure_ascii=False)


def _claims(words: Words, layer: str, title: str, description: str) -> list[Mark]:
    post = post_text(title, description)
    marks = []
    for claim in evidence(layer, post):
        kind = "supported" if claim.supported else "unsupported"
        mark = {**_placed(layer, (claim.start, claim.end)), **_note(kind, _about(words, claim, post))}
        # Words that are too few to tell are not shown: they would look like a reason.
        mark["post"] = _in_the_boxes(claim.spans if claim.supported else (), title, description)
        marks += [mark, *({**_placed(layer, span), "kind": "misquoted"} for span in claim.misquoted)]
    return marks


def _about(words: Words, claim: Claim, post: str) -> str:
    sentences = []
    if claim.misquoted:
        sentences.append(words("evidence_misquoted"))
    if claim.supported:
        said_once = dict.fromkeys(f"“{_short(post[start:end])}”" for start, end in claim.spans)
        sentences.append(words("evidence_found", quotes="".join(said_once)))
    elif not claim.misquoted:
        sentences.append(words("evidence_none"))
    return " ".join(sentences)


def _finding(words: Words, answer: str, finding: Finding) -> Mark:
    mark = {"rule": finding.rule, **_note(finding.severity, words(f"lint_{finding.rule}"))}
    if finding.start is not None and finding.end is not None:
        mark |= {**_placed(answer, (finding.start, finding.end)), "quote": _short(finding.quote)}
    return mark


def _strongest(parts: Sequence[Part]) -> list[Part]:
    """The part that raises the score most and the one that lowers it most, in the order of the answer."""
    by_effect = sorted(parts, key=lambda part: (part.percentile, part.cosine))
    ends = {by_effect[0], by_effect[-1]} if parts else set()
    return sorted(ends, key=lambda part: part.start)


def _part(words: Words, answer: str, part: Part) -> Mark:
    kind = "raises" if part.percentile > 0 else "lowers"
    note = _note(kind, words(f"reason_{kind}", points=f"{abs(part.percentile):.0f}"))
    return {**_placed(answer, (part.start, part.end)), **note, "quote": _short(answer[part.start : part.end])}


def _figures(reasons: ScoreReasons) -> dict[str, object]:
    low, high = USUAL_CHARS
    return {"share": f"{reasons.echo * 100:.0f}", "low": low, "high": high}


def _note(kind: str, sentence: str) -> Mark:
    return {"kind": kind, "note": sentence}


def _placed(text: str, span: Span) -> Mark:
    start, end = span
    return {"start": _utf16(text, start), "end": _utf16(text, end)}


def _in_the_boxes(spans: Sequence[Span], title: str, description: str) -> dict[str, list[Mark]]:
    """Spans of the joined post, cut where title and description meet."""
    begins = len(title) + 1 if title else 0
    found: dict[str, list[Mark]] = {"title": [], "description": []}
    for name, text, first in (("title", title, 0), ("description", description, begins)):
        for start, end in spans:
            inside = max(start - first, 0), min(end - first, len(text))
            if inside[0] < inside[1]:
                found[name].append(_placed(text, inside))
    return found


def _utf16(text: str, place: int) -> int:
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_CHARS else line[: QUOTE_CHARS - 1] + "…"
