"""What a post says of danger, in its own words and before any draft is shown; and, where a person must act at once, the
checklist behind which the draft waits.

Only quotes and our own sentences: no level, no score, and never that a risk is low.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import gradio as gr

from app.safety.help_lines import help_lines
from app.safety.signals import Signal, scan, urgency
from app.web import wording
from app.web.words import Words

CHECKS = ("supervisor", "safety_asked", "contact", "help_line")
_COLOURS = {"act_now": "#f3d9d3", "assess_first": "#f6e6c8"}

scanned = lru_cache(maxsize=64)(scan)
"""A page that follows a draft asks for the same post several times a second."""


class SignalBanner:
    """The quotes beside the post, and the pane that stands in the place of a draft that waits."""

    def __init__(self, words: Words):
        self._words = words

    def beside_the_post(self) -> None:
        """Place the banner; inside an open column."""
        self.head = gr.Markdown(visible=False, elem_id="signals")
        self.quotes = gr.HighlightedText(
            label=self._words("signals"),
            show_label=False,
            show_legend=False,
            show_inline_category=True,
            container=False,
            visible=False,
            elem_id="quotes",
        )

    def in_place_of_the_draft(self) -> None:
        """Place the checklist; inside the row of panes, whose style hides the draft's as long as this one is there."""
        words = self._words
        with gr.Column(elem_classes="pane", elem_id="held", min_width=280, visible=False) as self.held:
            gr.Markdown(wording.heading(words("held"), words("signals_act_now"), "urgent"))
            gr.Markdown(words("held_note"), elem_classes="meaning")
            gr.Markdown("\n".join(f"- {line}" for line in wording.lines_of_help(words, help_lines())))
            self.checks = gr.CheckboxGroup(
                [(words(f"check_{name}"), name) for name in CHECKS],
                label=words("checks"),
                elem_id="checks",
            )
            with gr.Row(elem_classes="actions"):
                self.release = gr.Button(words("release"), variant="primary", interactive=False, elem_id="release")

    def parts(self) -> list[Any]:
        """All components that change."""
        return [self.head, self.quotes, self.held, self.checks, self.release]

    def shown(self, post: str, *, held: bool) -> dict[Any, Any]:
        """The banner for a post; `held` shows the checklist."""
        return {**self.said(post), self.held: gr.update(visible=held)}

    def said(self, post: str) -> dict[Any, Any]:
        """The banner alone: `head` and `quotes`."""
        found = scanned(post) if post.strip() else ()
        level = urgency(found)
        head = wording.signals_heading(self._words, level) if post.strip() else ""
        return {
            self.head: gr.update(value=head, visible=bool(head)),
            self.quotes: gr.update(
                value=_quotes(self._words, post, found), color_map=_colours(self._words, found), visible=bool(found)
            ),
        }

    def asked(self) -> dict[Any, Any]:
        """The checklist as it stands before anybody has ticked it."""
        return {self.checks: [], self.release: gr.update(interactive=False)}

    def ticked(self, checks: list[str]) -> Any:
        """The button is for who has done everything on the list."""
        return gr.update(interactive=set(checks) >= set(CHECKS))


def must_act(post: str) -> bool:
    """Whether a draft for this post waits for the checklist."""
    return urgency(scanned(post)) == "act_now"


def _quotes(words: Words, post: str, found: tuple[Signal, ...]) -> list[tuple[str, str | float | None]]:
    spans: list[tuple[str, str | float | None]] = []
    for signal in found:
        spans += [(post[signal.start : signal.end], wording.signal_kind(words, signal)), (" ", None)]
    return spans


def _colours(words: Words, found: tuple[Signal, ...]) -> dict[str, str]:
    """By kind, the colour of its most urgent quote."""
    most_urgent_last = sorted(found, key=lambda signal: signal.urgency, reverse=True)
    return {wording.signal_kind(words, signal): _COLOURS[signal.urgency] for signal in most_urgent_last}
