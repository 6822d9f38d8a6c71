"""The components of the reviewing page and where they stand. What they do is in `review_page`."""

from __future__ import annotations

from typing import Any, get_args

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS
from app.web import shell, wording
from app.web.difference import Difference
from app.web.draft_layout import text_box
from app.web.let_stand import LetStand
from app.web.review_form import ReviewForm
from app.web.signal_banner import SignalBanner
from app.web.words import Words
from storage.records import Decision, Order, View

DECISIONS: tuple[Decision, ...] = get_args(Decision)
VIEWS: tuple[View, ...] = get_args(View)
ORDERS: tuple[Order, ...] = get_args(Order)
MODEL = "0"
"""Compared with the model's draft."""
MAX_SEARCH_CHARS = 100
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
        self.form = ReviewForm(words)
        # A claim lasts a quarter of an hour after its last beat.
        self.beat = gr.Timer(240)
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
            self.status, self.sheet, self.view, self.queue, self.queue_note, self.number, self.title, self.description,
            self.score, self.name, self.model, self.marks, self.signals.head, self.signals.quotes, self.undo,
            self.base, *self.let_stand.parts(), *self.difference.parts(), *self.form.parts(), *self.boxes.values(),
            *self.buttons.values(),
        ]  # fmt: skip

    def _queue(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("queue")))
            self.refresh = gr.Button(words("refresh"), size="sm", min_width=60, scale=0, elem_id="refresh")
        self.view = _choice("list", words("view"), [(words(f"view_{view}", count=""), view) for view in VIEWS])
        self.search = text_box(
            "queue-search", words("queue_search"), lines=1, interactive=True, placeholder=words("queue_search_hint"),
            max_length=MAX_SEARCH_CHARS,
        )  # fmt: skip
        self.order = _choice("order", words("order"), [(words(f"order_{order}"), order) for order in ORDERS])
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
                    with gr.Row(elem_classes="layer-head"):
                        gr.Markdown(f'<span class="tag">{layer.tag}</span> <span class="title">{title}</span>')
                        self.form.verdict(layer.tag)
                    self.boxes[layer.tag] = text_box(layer.tag, f"{layer.tag} {title}", **_WHOLE)
        gr.Markdown(elem_id="evidence")

    def _answer(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            self.difference.switch("comments")
            self.form.verdict(ANSWER_TAG)
        self.boxes[ANSWER_TAG] = text_box("answer", words("answer"), classes="box grow", **_WHOLE)
        self.base = _choice("base", words("compare_with"), [(words("compare_model"), MODEL)])
        self.difference.placed()
        # The script puts the comments here.
        gr.Markdown(elem_id="comments-view", elem_classes="scroll")
        # Both speak of what stands in the answer; together they leave it most of the height.
        with gr.Column(elem_classes="scroll", elem_id="weighed"):
            self.let_stand.placed()
            gr.Markdown(elem_id="notes")
        self.score = gr.Markdown(wording.score_line(words, None), elem_id="score")
        self.form.weighed()
        with gr.Row(elem_classes="actions"):
            self.undo = gr.Button(visible=False, min_width=60, scale=0, elem_id="undo")
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


def _choice(name: str, label: str, choices: list[tuple[str, str]]) -> gr.Dropdown:
    """One of several, in one line."""
    return gr.Dropdown(
        choices,
        value=choices[0][1],
        label=label,
        show_label=False,
        container=False,
        filterable=False,
        interactive=True,
        elem_id=name,
        elem_classes="choice",
        min_width=120,
    )
