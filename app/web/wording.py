"""From what the desk knows to what a person reads: sentences, marks and lists. Pure; knows words, not components.

Every string made here for Markdown holds only our own constants and numbers, never a text or a name that was typed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from diff_match_patch import diff_match_patch

from app.chain import SECTIONS, Layer
from app.drafting import Snapshot
from app.engine.protocol import Status
from app.progress import SectionState
from app.safety.help_lines import HelpLine
from app.safety.signals import Signal, Urgency
from app.web.words import Words
from storage.records import Draft, QueueItem, Reason, Review, StoredScore, Version

TITLE_CHARS = 24


def stage(words: Words, now: Snapshot, engine: Status) -> str:
    """What the machine is doing, in one sentence."""
    if now.stage == "queued" and now.ahead:
        return words("queued", ahead=now.ahead)
    if not now.over and engine.state == "starting":
        return words("loading_first")
    if now.stage in ("queued", "reading"):
        if not now.prompt_tokens:
            return words("reading_first")
        return words("reading", done=now.read_tokens, total=now.prompt_tokens)
    if now.stage == "writing":
        return words("writing", section=words.section(now.section))
    if now.stage == "failed":
        reason = words.error(now.error) if now.error else ""
        return words("failed", reason=reason) if now.parts else reason
    return words(now.stage)


def outcome(words: Words, draft: Draft, now: Snapshot) -> str:
    """How a draft that is over stands between its people."""
    return words(draft.state) if draft.state != "open" else stage(words, now, Status("ready"))


def engine_chip(words: Words, engine: Status, model: str) -> str:
    """State of the model, its name, and whether it runs here. Name and host may be settings, so they are escaped."""
    chip = f'<span class="chip {engine.state}">{words("model_" + engine.state)}</span> '
    if engine.leaves_for:
        return f'{chip}<span class="leaves">{words("leaves", host=escape(engine.leaves_for))}</span>'
    return f'{chip}<span class="quiet">{escape(model)} · {words("local")}</span>'


def alarm(sentence: str) -> str:
    """What went wrong, for the status line."""
    return f'<span class="alarm">{sentence}</span>'


def heading(title: str, mark: str = "", kind: str = "") -> str:
    """The line above a pane."""
    return f'<span class="title">{title}</span>' + (f' <span class="mark {kind}">{mark}</span>' if mark else "")


def layer_heading(words: Words, layer: Layer, state: SectionState) -> str:
    """The line above a layer: tag, title and state."""
    return (
        f'<span class="tag">{layer.tag}</span> <span class="title">{words.layer(layer)[0]}</span> '
        f'<span class="mark {state}">{words("layer_" + state)}</span>'
    )


def layer_state(now: Snapshot, name: str, edited: Mapping[str, str] | None) -> SectionState:
    """Where one section stands; `edited` is the person's text, if there is one."""
    if edited is not None and edited.get(name) != now.parts.get(name, "").strip():
        return "edited"
    return now.state(name)


def score_line(words: Words, score: StoredScore | None, edited: bool = False) -> str:
    """A score with what it means; never the bare number."""
    if score is None:
        return f'<span class="quiet">{words("score_edited" if edited else "score_none")}</span>'
    kind = "passed" if score.passed else "not_passed"
    sentence = words("score_" + kind, percentile=f"{score.percentile:.0f}", cosine=f"{score.cosine:z.2f}")
    return f'<span class="score {kind}">{sentence}</span><br><span class="meaning">{words("score_meaning")}</span>'


def clock(words: Words, moment: datetime) -> str:
    """A UTC moment as the person's clock shows it; the date if it is not today, and the year if it is not this one."""
    local, today = moment.astimezone(), datetime.now().astimezone()
    if local.year != today.year:
        return f"{local:%Y-%m-%d}"
    return words("today", time=f"{local:%H:%M}") if local.date() == today.date() else f"{local:%m-%d %H:%M}"


def saved(words: Words, version: int, moment: datetime | None = None) -> str:
    """The stamp that promises: this text survives whatever happens now. Without a moment: it was saved just now."""
    local = (moment or datetime.now(UTC)).astimezone()
    return _stamp("saved", words("saved", time=f"{local:%H:%M:%S}", version=version))


def touched() -> str:
    """The desk has put a text into the boxes that is not saved yet; the page's script sees to that."""
    return _stamp("touched", "")


def not_saved(words: Words, reason: str) -> str:
    """The opposite of `saved`."""
    return _stamp("alarm", words("not_saved", reason=reason))


def _stamp(kind: str, sentence: str) -> str:
    # No two stamps are alike, also of one sentence: by that the page's script tells that a save has been answered.
    return f'<span class="{kind} at{time.monotonic_ns()}">{sentence}</span>'


def signals_heading(words: Words, level: Urgency | None) -> str:
    """What a person has to do about the signals of a post; without one, that this means little."""
    kind = level or "none"
    return f'<span class="signals {kind}">{words("signals_" + kind)}</span>'


def signal_kind(words: Words, signal: Signal) -> str:
    """What the quoted words speak of."""
    kind = words(f"signal_{signal.kind}")
    return words("signal_denied", kind=kind) if signal.denied else kind


def lines_of_help(words: Words, lines: Sequence[HelpLine]) -> list[str]:
    """The help lines for the readers of this language, as plain text."""
    if words.language == "zh":
        return [f"{line.number}　{line.zh}" for line in lines if line.region.startswith("CN")]
    return [f"{line.number} {line.en} ({line.region})" for line in lines if not line.region.startswith("CN")]


def recent_line(words: Words, draft: Draft) -> str:
    """One of a person's drafts, as plain text for a list."""
    state = f"state_{draft.state}" if draft.state != "open" else f"status_{draft.status}"
    return words(
        "recent_line",
        id=draft.id,
        when=clock(words, draft.created_at),
        status=words(state),
        title=short(draft.post.title or draft.post.description) or words("untitled"),
    )


def draft_number(words: Words, draft: Draft) -> str:
    """Which draft is on screen, and what part of its post the model read."""
    number = words("draft_number", id=draft.id)
    if draft.origin.part_end is None:
        return number
    read = words("draft_part", first=draft.origin.part_start + 1, last=draft.origin.part_end)
    return f"{number} · {read}"


def part_line(words: Words, number: int, text: str) -> str:
    """One part of a long post, as plain text for a list."""
    return words("part_line", number=number, chars=len(text), begin=short(text))


def candidate_line(words: Words, now: Snapshot) -> str:
    """One of the candidates of a request: its number, and what its score means or how far it is."""
    if now.score is not None:
        return words("candidate_scored", number=now.candidate, percentile=f"{now.score.percentile:.0f}")
    return words("candidate_state", number=now.candidate, state=words(f"candidate_{now.stage}"))


def version_line(words: Words, version: Version) -> str:
    """One of the versions of a draft, as plain text for a list."""
    when = clock(words, version.created_at)
    return words("version_line", version=version.version, when=when, person=short(version.person.name, 10))


def queue_line(words: Words, item: QueueItem, own: bool) -> str:
    """One draft of a review list, as plain text."""
    line = words(
        "queue_line",
        id=item.draft_id,
        when=clock(words, item.saved_at),
        author=short(item.author.name, 10),
        title=short(item.title or item.excerpt) or words("untitled"),
    )
    if item.urgency:
        line += words("queue_urgent" if item.urgency == "act_now" else "queue_assess")
    if item.holders:
        line += words("queue_held", name=short(item.holders[0].name, 10))
    return line + words("queue_own") if own else line


def review_lines(words: Words, review: Review, known: Sequence[Reason]) -> list[str]:
    """What a review says, as lines of plain text: the opinion, its reasons, and what is said of each section."""
    said = review.assessment
    labels = {reason.id: reason.label for reason in known}
    reasons = [labels[one] for one in said.reasons if one in labels]
    lines = [review.reason, words("between").join(reasons)]
    for name in SECTIONS:
        verdict = said.verdicts.get(name)
        comments = [one for one in said.comments if one.section == name]
        if verdict in ("change", "wrong") or comments:
            section = words.section(name)
            lines.append(words("section_verdict", section=section, verdict=words(f"verdict_{verdict or 'none'}")))
            lines += [
                words("comment_line", quote=one.quote, text=one.text) if one.quote else one.text for one in comments
            ]
    return [line for line in lines if line]


def difference(words: Words, before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """The changed sections as spans (text, "+", "-" or None), each under its name; empty if nothing changed."""
    differ = diff_match_patch()
    signs = {differ.DIFF_INSERT: "+", differ.DIFF_DELETE: "-", differ.DIFF_EQUAL: None}
    spans: list[tuple[str, str | None]] = []
    for name in SECTIONS:
        if before.get(name, "") == after[name]:
            continue
        changes = differ.diff_main(before.get(name, ""), after[name])
        differ.diff_cleanupSemantic(changes)
        spans.append((f"{words.section(name)}\n", "#"))
        spans.extend((text, signs[sign]) for sign, text in changes)
        spans.append(("\n\n", None))
    return spans


def short(text: str, limit: int = TITLE_CHARS) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
