"""The Chain-of-Empathy format: the one table that everything else derives from.

Prompt, forced tags, grammar, parser, format reward, SFT text and the headings on screen are all read from `LAYERS` and
`frame()`; a tag is spelled here and nowhere else. The four layers are those of arXiv:2509.14851, section 3.1.
Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Layer:
    """One step of the visible reasoning: its tag, its titles and what belongs in it."""

    tag: str
    zh: str
    en: str
    zh_brief: str
    en_brief: str


LAYERS = (
    Layer(
        "L1",
        "情绪与处境",
        "Emotions and context",
        "写信人此刻有哪些情绪，各由信中哪件事引起",
        "what the writer feels, and which facts of the post each feeling comes from",
    ),
    Layer(
        "L2",
        "成因与信念",
        "Causes and beliefs",
        "情绪背后可能的成因、信念和未满足的需要，只作假设",
        "the possible causes, beliefs and unmet needs underneath, held as hypotheses",
    ),
    Layer(
        "L3",
        "求助意图",
        "Intent",
        "写信人希望从回信得到什么，说出的和没说出的",
        "what the writer wants from this reply, said and unsaid",
    ),
    Layer(
        "L4",
        "回应策略",
        "Response strategy",
        "先接住什么，再澄清什么，建议哪一小步，避开什么",
        "what to validate first, what to reframe, which small step to offer, what to leave out",
    ),
)

CHAIN_TAG = "empathy_think"
ANSWER_TAG = "answer"
SECTIONS = (*(layer.tag for layer in LAYERS), ANSWER_TAG)
"""Names of the five parts of a response, in the order in which they are written."""

TAGS = tuple(f"<{slash}{name}>" for name in (CHAIN_TAG, *SECTIONS) for slash in ("", "/"))
"""Every tag as it is spelled in text, opening before closing."""


def frame() -> tuple[tuple[str, str], ...]:
    """The fixed text around the sections.

    Returns:
        Pairs (fixed text, section that follows it); the last pair closes the answer and names no section ("").
    """
    openings = []
    for position, name in enumerate(SECTIONS):
        if position == 0:
            before = f"<{CHAIN_TAG}>\n"
        elif name == ANSWER_TAG:
            before = f"</{SECTIONS[position - 1]}>\n</{CHAIN_TAG}>\n"
        else:
            before = f"</{SECTIONS[position - 1]}>\n"
        openings.append((f"{before}<{name}>", name))
    return (*openings, (f"</{ANSWER_TAG}>", ""))


def neutral(text: str) -> str:
    """Replace the ASCII `<`, which only tags may use, by the full-width sign a Chinese reader sees anyway.

    Applied to the copy of a post that goes into a prompt and to every text a person types into a section, so that
    neither `</answer>` nor `<|im_start|>` in a post can act as structure.
    """
    return text.replace("<", "\uff1c")


class FormatError(ValueError):
    """A text that is not a response: `section` names the part, `rule` what it broke."""

    def __init__(self, section: str, rule: str):
        super().__init__(f"{section}: {rule}")
        self.section = section
        self.rule = rule


@dataclass(frozen=True)
class Response:
    """A chain of four layers and an answer, each non-empty, trimmed and free of `<`."""

    L1: str
    L2: str
    L3: str
    L4: str
    answer: str

    def __post_init__(self) -> None:
        for name, text in self.parts().items():
            if not text or text != text.strip():
                raise FormatError(name, "must hold text, with no white space around it")
            if "<" in text:
                raise FormatError(name, "must not contain '<'; write '\uff1c' (see neutral)")

    def parts(self) -> dict[str, str]:
        """The sections by name, in order."""
        return {name: getattr(self, name) for name in SECTIONS}


def render(response: Response) -> str:
    """Write a response as the text a model is trained on; `parse` is its inverse."""
    parts = response.parts()
    return "".join(fixed + (parts[name] if name else "") for fixed, name in frame())
