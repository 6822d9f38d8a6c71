"""What a person changed in the model's text, as inline marks, and the switch between them and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.web import wording
from app.web.words import Words

_COLOURS = {"+": "#d5e8dc", "-": "#f3d9d3", "#": "#ece5d8"}


class Difference:
    """The switch stands above the answer's box, the marks in its place; the browser alone switches, by style, so that
    the text on screen stays where the reader left it."""

    def __init__(self, words: Words):
        self._words = words

    def switch(self, *others: str) -> None:
        """Place the switch; `others` are further views beside the two, by their words' key."""
        words = self._words
        # Beside others there is no room for its long name.
        changes = "changes" if others else "difference"
        views = [("answer", "answer"), (changes, "difference"), *zip(others, others, strict=True)]
        gr.Radio(
            [(words(key), view) for key, view in views],
            value="answer",
            interactive=True,
            label=words("answer"),
            show_label=False,
            container=False,
            elem_id="view",
        )

    def placed(self) -> None:
        """Place the marks; inside an open column."""
        with gr.Column(elem_classes="scroll", elem_id="difference-view"):
            self.legend = gr.Markdown(elem_classes="quiet", elem_id="legend")
            self.marks = gr.HighlightedText(
                label=self._words("difference"),
                show_legend=False,
                show_inline_category=False,
                show_label=False,
                container=False,
                color_map=_COLOURS,
                elem_id="difference",
            )

    def parts(self) -> list[Any]:
        """All components that change."""
        return [self.legend, self.marks]

    def shown(self, before: Mapping[str, str], after: Mapping[str, str]) -> dict[Any, Any]:
        """The sections in which a person's text is not the model's."""
        spans = wording.difference(self._words, before, after)
        return {self.legend: self._words("difference_legend" if spans else "difference_none"), self.marks: spans}

    def none(self) -> dict[Any, Any]:
        """Nothing to compare."""
        return {self.legend: "", self.marks: []}
