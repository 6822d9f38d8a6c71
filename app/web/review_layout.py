"""The components of the reviewing page and where they stand. What they do is in `review_page`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS
from app.intake import MAX_REASON_CHARS
from app.web import shell, wording
from app.web.difference import Difference
from app.web.draft_layout import text_box
from app.web.let_stand import LetStand
from app.web.signal_banner import SignalBanner
from app.web.words import Words
from storage.records import Decision

DECISIONS: tuple[Decision, ...] = ("approve", "return", "reject")
_WHOLE: dict[str, Any] = {"lines": 1, "max_lines": 2000}
"""A box as high as its text: a reviewer reads to the end."""


class ReviewLayout:
    """The queue, then post, chain and answer beside each other as on the drafting page, so that what is marked in one
    can be seen in the other. Built inside an open `gr.Blocks`."""

    def __init__(self, words: Words):
        self.model, self.name, self.remembered = shell.top_bar(words, "review")
        self.status = gr.Markdown(words("item_none"), elem_id="status")
        # The exact text that is on screen: a decision on any other is refused.
        self.sheet = gr.Textbox(visible="hidden", elem_id="sheet")
        # What marks.js marks in the texts. No event takes it as input, because it holds every text once more.
        self.marks = gr.Textbox(visible="hidden", elem_id="marks")
        self.signals = SignalBanner(words)
        self.let_stand = LetStand(words)
        self.difference = Difference(words)
        self.boxes: dict[str, gr.Textbox] = {}
        with gr.Row(elem_id="columns", elem_classes="reviewing"):
            with gr.Column(elem_classes="pane queue", scale=2, min_width=190, elem_id="queue-pane"):
                self._queue(words)
            with gr.Column(elem_classes="pane", scale=5, min_width=240, elem_id="post-pane"):
                self._post(words)
            with gr.Column(elem_classes="pane", scale=5, min_width=240, elem_id="chain-pane"):
                self._chain(words)
            with gr.Column(elem_classes="pane", scale=6, min_width=240, elem_id="answer-pane"):
                self._answer(words)

    def everything(self) -> list[Any]:
        """All components that handlers change."""
        return [
            self.status, self.sheet, self.queue, self.queue_note, self.number, self.title, self.description, self.mark,
            self.score, self.reason, self.name, self.model, self.marks, self.signals.head, self.signals.quotes,
            *self.let_stand.parts(), *self.difference.parts(), *self.boxes.values(), *self.buttons.values(),
        ]  # fmt: skip

    def _queue(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("queue")))
            self.refresh = gr.Button(words("refresh"), size="sm", min_width=60, scale=0, elem_id="refresh")
        self.queue_note = gr.Markdown(elem_classes="quiet", elem_id="queue-note")
        self.queue = gr.Radio(
            [], label=words("queue"), show_label=False, container=False, elem_id="queue", elem_classes="cards"
        )

    def _post(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("post")))
            self.number = gr.Markdown(elem_id="number")
        self.title = text_box("title", words("post_title"), visible=False, **_WHOLE)
        self.description = text_box("description", words("post"), classes="box grow", **_WHOLE)
        self.signals.beside_the_post()

    def _chain(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("chain")))
        with gr.Column(elem_classes="scroll"):
            for layer in LAYERS:
                with gr.Column(elem_classes="layer", min_width=200):
                    title = words.layer(layer)[0]
                    gr.Markdown(f'<span class="tag">{layer.tag}</span> <span class="title">{title}</span>')
                    self.boxes[layer.tag] = text_box(layer.tag, f"{layer.tag} {title}", **_WHOLE)
        gr.Markdown(elem_id="evidence")

    def _answer(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            self.difference.switch()
            self.mark = gr.Markdown()
        self.boxes[ANSWER_TAG] = text_box("answer", words("answer"), classes="box grow", **_WHOLE)
        self.difference.placed()
        # Both speak of what stands in the answer; together they leave it most of the height.
        with gr.Column(elem_classes="scroll", elem_id="weighed"):
            self.let_stand.placed()
            gr.Markdown(elem_id="notes")
        self.score = gr.Markdown(wording.score_line(words, None), elem_id="score")
        self.reason = text_box(
            "reason",
            words("reason"),
            lines=2,
            interactive=True,
            placeholder=words("reason_hint"),
            max_length=MAX_REASON_CHARS,
        )
        with gr.Row(elem_classes="actions"):
            self.buttons = {
                decision: gr.Button(
                    words(decision),
                    variant="primary" if decision == "approve" else "secondary",
                    interactive=False,
                    min_width=60,
                    elem_id=decision,
                )
                for decision in DECISIONS
            }
