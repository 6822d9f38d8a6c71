"""The components of the drafting page and where they stand. What they do is in `draft_page`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS
from app.web import shell, wording
from app.web.signal_banner import SignalBanner
from app.web.words import Words


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


class DraftLayout:
    """Post, chain and answer, in three columns. Built inside an open `gr.Blocks`."""

    def __init__(self, words: Words):
        self.model, self.name, self.remembered = shell.top_bar(words, "draft")
        self.status = gr.Markdown(words("idle"), elem_id="status")
        # These travel with every save; see `Sheet`. Which draft and version the boxes were filled from; which version
        # was last saved from them; and in a conflict, which version stands beside them.
        self.sheet = gr.Textbox(visible="hidden", elem_id="sheet")
        self.saved = gr.Textbox(visible="hidden", elem_id="saved")
        self.rival = gr.Textbox(visible="hidden", elem_id="rival")
        self.pulse = gr.Timer(0.3)
        self.signals = SignalBanner(words)
        self.boxes: dict[str, gr.Textbox] = {}
        self.layer_heads: dict[str, gr.Markdown] = {}
        with gr.Row(elem_id="columns", elem_classes="drafting"):
            with gr.Column(elem_classes="pane", elem_id="post-pane", min_width=280):
                self._post(words)
            self.signals.in_place_of_the_draft()
            with gr.Column(elem_classes="pane", elem_id="chain-pane", min_width=280):
                self._chain(words)
            with gr.Column(elem_classes="pane", elem_id="answer-pane", min_width=280):
                self._answer(words)

    def everything(self) -> list[Any]:
        """All components that handlers change."""
        found: list[Any] = [*self.boxes.values(), *self.layer_heads.values(), *self.signals.parts()]
        return found + [part for part in vars(self).values() if not isinstance(part, dict | SignalBanner)]

    def _post(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("post")))
            self.new = gr.Button(words("new_post"), size="sm", min_width=60, scale=0, elem_id="new")
        hint = words("post_title")
        self.title = text_box("title", hint, lines=1, placeholder=hint, interactive=True)
        self.description = text_box(
            "description", words("post"), classes="box grow", placeholder=words("post_hint"), interactive=True
        )
        self.signals.beside_the_post()
        with gr.Row(elem_classes="actions"):
            self.start = gr.Button(words("start"), variant="primary", min_width=80, elem_id="start")
            self.stop = gr.Button(words("stop"), interactive=False, min_width=80, elem_id="stop")
        self.recent = gr.Radio(
            [], label=words("recent"), info=words("recent_none"), elem_id="recent", elem_classes="cards"
        )

    def _chain(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            self.chain_head = gr.Markdown(wording.heading(words("chain")))
            self.number = gr.Markdown(elem_id="number")
        for layer in LAYERS:
            title, brief = words.layer(layer)
            with gr.Column(elem_classes="layer", min_width=200):
                self.layer_heads[layer.tag] = gr.Markdown(wording.layer_heading(words, layer, "waiting"))
                label = f"{layer.tag} {title}"
                self.boxes[layer.tag] = text_box(layer.tag, label, classes="box grow edit", placeholder=brief)

    def _answer(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            self.answer_head = gr.Markdown(wording.heading(words("answer")))
            gr.Button(words("copy"), size="sm", min_width=80, scale=0, elem_id="copy")
        self.boxes[ANSWER_TAG] = text_box(
            "answer", words("answer"), classes="box grow edit", placeholder=words("answer_hint")
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
        self.score = gr.Markdown(wording.score_line(words, None), elem_id="score")
        self.stamp = gr.Markdown(elem_id="stamp")
        with gr.Row(elem_classes="actions"):
            self.save = gr.Button(words("save"), interactive=False, min_width=80, elem_id="save")
            self.submit = gr.Button(
                words("submit"), variant="primary", interactive=False, min_width=80, elem_id="submit"
            )
