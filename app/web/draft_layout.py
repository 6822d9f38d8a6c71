"""The components of the drafting page and where they stand. What they do is in `draft_page` and `draft_saving`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS, SECTIONS
from app.chain.steer import AIMED, AIMS, STEERS, Steer
from app.intake import MAX_REASON_CHARS
from app.web import shell, wording
from app.web.difference import Difference
from app.web.masking import Masking
from app.web.signal_banner import SignalBanner
from app.web.words import Words

BY_THE_MODEL = ""
"""The aim where the model decides."""


def text_box(name: str, label: str, *, lines: int = 3, classes: str = "box", **settings: Any) -> gr.Textbox:
    """A box for text of people or models: it is never read as markup, so no other component shows such text."""
    return gr.Textbox(
        label=label,
        lines=lines,
        elem_id=f"box-{name}",
        elem_classes=classes,
        html_attributes=gr.InputHTMLAttributes(spellcheck=False, autocomplete="off"),
        **{"interactive": False, "show_label": False, "container": False, "max_lines": lines, **settings},
    )


def pills(name: str, label: str, choices: Sequence[tuple[str, str]], **settings: Any) -> gr.Radio:
    """A choice among few, in one line."""
    return gr.Radio(
        choices, label=label, show_label=False, container=False, elem_id=name, elem_classes="pills", **settings
    )


class DraftLayout:
    """Post, chain and answer, in three columns. Built inside an open `gr.Blocks`.

    Args:
        words: of the page's language.
        candidates: how many drafts one request may ask for.
    """

    def __init__(self, words: Words, candidates: int):
        self.model, self.name, self.remembered = shell.top_bar(words, "draft")
        self.status = gr.Markdown(words("idle"), elem_id="status")
        # These travel with every save; see `Sheet`. Which draft and version the boxes were filled from; which version
        # was last saved from them; and in a conflict, which version stands beside them.
        self.sheet = gr.Textbox(visible="hidden", elem_id="sheet")
        self.saved = gr.Textbox(visible="hidden", elem_id="saved")
        self.rival = gr.Textbox(visible="hidden", elem_id="rival")
        self.pulse = gr.Timer(0.3)
        # What marks.js marks in the texts: evidence and lint; the reasons of a score. No event takes them as input,
        # because they hold every text once more.
        self.marks = gr.Textbox(visible="hidden", elem_id="marks")
        self.reasons = gr.Textbox(visible="hidden", elem_id="reasons")
        self.signals = SignalBanner(words)
        self.masking = Masking(words)
        self.difference = Difference(words)
        self.boxes: dict[str, gr.Textbox] = {}
        self.layer_heads: dict[str, gr.Markdown] = {}
        self.sources: dict[str, gr.Radio] = {}
        self.onward: dict[str, gr.Button] = {}
        """By layer: write it and what follows anew."""
        self.alone: dict[str, gr.Button] = {}
        """By section: write it alone anew."""
        self.steers: dict[Steer, gr.Button] = {}
        with gr.Row(elem_id="columns", elem_classes="drafting"):
            with gr.Column(elem_classes="pane", elem_id="post-pane", min_width=280):
                self._post(words, candidates)
            self.signals.in_place_of_the_draft()
            with gr.Column(elem_classes="pane", elem_id="chain-pane", min_width=280):
                self._chain(words)
            with gr.Column(elem_classes="pane", elem_id="answer-pane", min_width=280):
                self._answer(words)

    def everything(self) -> list[Any]:
        """All components that handlers change."""
        found: list[Any] = [*self.signals.parts(), *self.masking.parts(), *self.difference.parts()]
        for part in vars(self).values():
            if isinstance(part, dict):
                found += part.values()
            elif not isinstance(part, SignalBanner | Masking | Difference):
                found.append(part)
        return found

    def texts(self) -> list[gr.Textbox]:
        """The boxes of the sections, in order."""
        return [self.boxes[name] for name in SECTIONS]

    def redrafting(self) -> list[gr.Button]:
        """What asks for another draft on the grounds of the one on screen."""
        return [*self.onward.values(), *self.alone.values(), *self.steers.values()]

    def _post(self, words: Words, candidates: int) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("post")))
            self.new = gr.Button(words("new_post"), size="sm", min_width=60, scale=0, elem_id="new")
        hint = words("post_title")
        self.title = text_box("title", hint, lines=1, placeholder=hint, interactive=True)
        self.description = text_box(
            "description", words("post"), classes="box grow", placeholder=words("post_hint"), interactive=True
        )
        # Pressed by the page's script when somebody pauses after typing or pasting.
        self.glance = gr.Button(visible="hidden", elem_id="glance")
        self.masking.placed()
        self.signals.beside_the_post()
        self.parts = gr.Radio([], label=words("parts"), visible=False, elem_id="parts", elem_classes="cards")
        with gr.Row(elem_classes="actions"):
            self.start = gr.Button(words("start"), variant="primary", min_width=80, elem_id="start")
            counts = [n for n in range(1, candidates + 1) if n in (1, 2, 4, candidates)]
            self.count = pills(
                "count",
                words("count"),
                [(words("count_of", count=n), str(n)) for n in counts],
                value=str(candidates),
                interactive=True,
                visible=candidates > 1,
            )
            self.stop = gr.Button(words("stop"), interactive=False, min_width=60, elem_id="stop")
        self.recent = gr.Radio(
            [], label=words("recent"), info=words("recent_none"), elem_id="recent", elem_classes="cards"
        )

    def _chain(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            self.chain_head = gr.Markdown(wording.heading(words("chain")))
            self.number = gr.Markdown(elem_id="number")
        self.candidates = pills("candidates", words("candidates"), [], visible=False)
        for layer in LAYERS:
            title, brief = words.layer(layer)
            with gr.Column(elem_classes="layer", min_width=200):
                with gr.Row(elem_classes="head layer-head"):
                    self.layer_heads[layer.tag] = gr.Markdown(wording.layer_heading(words, layer, "waiting"))
                    self._source(words, layer.tag)
                    self._redraft_buttons(words, layer.tag)
                if layer.tag == AIMED:
                    aims = [(words("aim_by_the_model"), BY_THE_MODEL), *((words(f"aim_{aim}"), aim) for aim in AIMS)]
                    self.aim = pills("aim", words("aim"), aims, value=BY_THE_MODEL, interactive=True)
                label = f"{layer.tag} {title}"
                self.boxes[layer.tag] = text_box(layer.tag, label, classes="box grow edit", placeholder=brief)
        gr.Markdown(elem_id="evidence")

    def _answer(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            self.answer_head = gr.Markdown(wording.heading(words("answer")))
            self._source(words, ANSWER_TAG)
            self.alone[ANSWER_TAG] = self._redraft_button(words, "alone", ANSWER_TAG)
            gr.Button(words("copy"), size="sm", min_width=60, scale=0, elem_id="copy")
        with gr.Row(elem_classes="head steers"):
            self.difference.switch()
            for steer in STEERS:
                self.steers[steer] = gr.Button(
                    words(f"steer_{steer}"),
                    size="sm",
                    min_width=40,
                    scale=0,
                    elem_id=f"steer-{steer}",
                    interactive=False,
                )
        self.boxes[ANSWER_TAG] = text_box(
            "answer", words("answer"), classes="box grow edit", placeholder=words("answer_hint")
        )
        self.difference.placed()
        gr.Markdown(elem_id="notes")
        self.override = text_box(
            "override",
            words("override"),
            lines=2,
            visible=False,
            interactive=True,
            placeholder=words("override_hint"),
            max_length=MAX_REASON_CHARS,
        )
        with gr.Column(visible=False, elem_id="conflict") as self.conflict:
            self.conflict_note = gr.Markdown()
            self.theirs = text_box("theirs", words("take_theirs"), lines=7)
            with gr.Row(elem_classes="actions"):
                self.keep_mine = gr.Button(words("keep_mine"), min_width=80, elem_id="keep-mine")
                self.take_theirs = gr.Button(words("take_theirs"), min_width=80, elem_id="take-theirs")
        self.reason = text_box(
            "reason", words("review_reason"), lines=2, visible=False, show_label=True, container=True
        )
        with gr.Row(elem_classes="score-row"):
            self.score = gr.Markdown(wording.score_line(words, None), elem_id="score")
            self.why = gr.Button(words("why"), size="sm", min_width=60, scale=0, elem_id="why", interactive=False)
        with gr.Row(elem_classes="head"):
            self.stamp = gr.Markdown(elem_id="stamp")
            self.past = gr.Button(
                words("versions"), size="sm", min_width=60, scale=0, elem_id="past", interactive=False
            )
        self.versions = gr.Radio(
            [], label=words("versions"), show_label=False, visible=False, elem_id="versions", elem_classes="cards"
        )
        with gr.Row(elem_classes="actions"):
            self.save = gr.Button(words("save"), interactive=False, min_width=80, elem_id="save")
            self.reopen = gr.Button(words("reopen"), visible=False, min_width=80, elem_id="reopen")
            self.submit = gr.Button(
                words("submit"), variant="primary", interactive=False, min_width=80, elem_id="submit"
            )

    def _source(self, words: Words, section: str) -> None:
        label = words("source", section=words.section(section))
        self.sources[section] = pills(f"source-{section}", label, [], visible=False)

    def _redraft_buttons(self, words: Words, tag: str) -> None:
        self.onward[tag] = self._redraft_button(words, "onward", tag)
        self.alone[tag] = self._redraft_button(words, "alone", tag)

    @staticmethod
    def _redraft_button(words: Words, kind: str, section: str) -> gr.Button:
        return gr.Button(
            words(f"redraft_{kind}"),
            size="sm",
            min_width=28,
            scale=0,
            elem_id=f"{kind}-{section}",
            elem_classes="redraft",
            interactive=False,
        )
