"""What the engine is to write of a response, and what stands already: the plan of a request.

Text that is kept is forced, as the tags are; to the engine an edited layer is simply more forced text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.chain import ANSWER_TAG, SECTIONS, frame, post_text
from app.chain.steer import AIMED, STEERED, Aim, Steer, aimed, steered
from app.engine.protocol import Script, Section
from app.intake import accept_section
from storage.records import Draft, Origin

LAYER_TOKENS = 200
ANSWER_TOKENS = 640
SHORT_ANSWER_TOKENS = 320
"""For the steer "shorter": a sentence in the strategy asks, a cap makes sure."""


@dataclass(frozen=True)
class Plan:
    """The script of a request, the sections that it keeps and where they come from."""

    script: Script
    kept: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)

    @property
    def last(self) -> str:
        """The section with which the engine is done."""
        return [step.name for step in self.script if isinstance(step, Section)][-1]


def response_script(
    kept: Mapping[str, str] | None = None, *, only: bool = False, answer_tokens: int = ANSWER_TOKENS
) -> Script:
    """The format as the engine writes it: the frame's fixed text and the kept sections forced, the others free.

    Args:
        kept: texts by section; each as `app.intake.accept_section` leaves it.
        only: end behind the first free section.
        answer_tokens: where the answer is closed by force.
    """
    kept = kept or {}
    script: list[str | Section] = []
    forced = ""
    for fixed, name in frame():
        forced += fixed
        if name in kept:
            forced += kept[name]
            continue
        script.append(forced)
        forced = ""
        if name:
            script.append(Section(name, answer_tokens if name == ANSWER_TAG else LAYER_TOKENS))
            if only:
                break
    return tuple(script)


def first_plan(post: str, aim: Aim | None, part: tuple[int, int | None] = (0, None)) -> Plan:
    """A whole response to a post or a part of it, with its intent set where there is an aim."""
    kept = {AIMED: aimed(post, aim)} if aim else {}
    start, end = part
    return Plan(response_script(kept), kept, Origin(aim=aim, edited=tuple(kept), part_start=start, part_end=end))


def redraft_plan(
    parent: Draft,
    kept: Mapping[str, str],
    *,
    only: bool = False,
    steer: Steer | None = None,
    aim: Aim | None = None,
) -> Plan:
    """Keep the sections of a draft, as a person left them, up to the one to be written anew.

    That one is the first that `kept` lacks. A steer takes the whole chain, adds to its strategy and has the answer
    written anew; an aim takes what stands before the intent, sets that, and has what follows written anew.

    Args:
        parent: the draft that is redrafted.
        kept: texts by section, as typed; what stands behind the section to be written counts only with `only`.
        only: write that section alone.
        steer: without `only` and `aim`.
        aim: without `only` and `steer`.

    Raises:
        DeskError: section_empty (section), text_too_long (section, chars, limit).
    """
    if only + (steer is not None) + (aim is not None) > 1:
        raise ValueError("only, steer and aim exclude each other")
    given = dict(kept)
    if steer:
        given.pop(ANSWER_TAG, None)
    if aim:
        given = {name: given.get(name, "") for name in SECTIONS[: SECTIONS.index(AIMED)]}
        given[AIMED] = aimed(post_text(parent.post.title, parent.post.description), aim)
    first = next(name for name in SECTIONS if name not in given)
    wanted = [name for name in SECTIONS if name != first] if only else SECTIONS[: SECTIONS.index(first)]
    texts = {name: accept_section(name, given.get(name, "")) for name in wanted}
    if steer:
        texts[STEERED] = steered(texts[STEERED], steer)
    edited = tuple(name for name, text in texts.items() if _is_edited(parent, name, text))
    script = response_script(
        texts, only=only, answer_tokens=SHORT_ANSWER_TOKENS if steer == "shorter" else ANSWER_TOKENS
    )
    part = parent.origin.part_start, parent.origin.part_end
    return Plan(script, texts, Origin(parent.id, first, only, steer, aim, edited, *part))


def _is_edited(parent: Draft, name: str, text: str) -> bool:
    """Whether a kept text is not, or not any more, what a model wrote."""
    return name in parent.origin.edited or text != parent.sections.get(name, "").strip()
