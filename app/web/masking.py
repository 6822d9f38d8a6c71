"""Beside the post: what in it may identify somebody, and placeholders for what a person ticks.

The originals are kept in hidden boxes of the open page and nowhere else: no handler stores them, and a reload forgets
them. Texts of people are shown only as labels and in a text box, which read no markup.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from app.intake import MAX_POST_CHARS
from app.safety.placeholders import replaced, suggested
from app.web.words import Words

Changes = dict[Any, Any]


class Masking:
    """The list of suggestions, and after a replacement the legend.

    `shown` and `applied` are asked with `preprocess=False`: gradio would check the ticks against the list it remembers
    of a page, and a desk that was started anew remembers none.
    """

    def __init__(self, words: Words):
        self._words = words

    def placed(self) -> None:
        """Place both, hidden; inside an open column."""
        words = self._words
        with gr.Accordion(open=False, visible=False, elem_id="masking") as self.head:
            self.choices = gr.CheckboxGroup([], label=words("masking_note"), elem_id="masking-choices")
            self.replace = gr.Button(words("masking_replace"), size="sm", elem_id="masking-replace")
        with gr.Column(visible=False, min_width=200, elem_id="originals") as self.legend:
            with gr.Row():
                self.legend_note = gr.Markdown(elem_classes="meaning")
                gr.Checkbox(label=words("legend_show"), container=False, min_width=60, elem_id="originals-show")
            self.legend_text = gr.Textbox(
                label=words("legend"),
                show_label=False,
                container=False,
                interactive=False,
                lines=2,
                max_lines=4,
                elem_id="originals-text",
                elem_classes="box",
            )
        # Originals and their placeholders, as JSON: of the list, and of what was replaced.
        self.offered = gr.Textbox("{}", visible="hidden", elem_id="masking-offered")
        self.kept = gr.Textbox("{}", visible="hidden", elem_id="masking-kept")

    def parts(self) -> list[Any]:
        """All components that change."""
        return [self.head, self.choices, self.legend, self.legend_note, self.legend_text, self.offered, self.kept]

    def memory(self) -> list[Any]:
        """What `shown` and `applied` are asked with, after title and description."""
        return [self.choices, self.offered, self.kept]

    def shown(self, title: str, description: str, chosen: list[str], offered: str, kept: str) -> Changes:
        """The suggestions for a post that can be edited; what was unticked stays so."""
        known, before = _pairs(kept), _pairs(offered)
        texts = (title or "", description or "")
        found = suggested(texts, known) if sum(map(len, texts)) <= MAX_POST_CHARS else {}
        refused = {original for original, placeholder in before.items() if placeholder not in chosen}
        return {**self._listed(found, refused), **self._legend(texts, known)}

    def applied(
        self, title: str, description: str, chosen: list[str], offered: str, kept: str
    ) -> tuple[str, str, Changes]:
        """替换所选: title and description with the ticked originals replaced, and the list and legend after that."""
        ticked = {original: placeholder for original, placeholder in _pairs(offered).items() if placeholder in chosen}
        known = {**_pairs(kept), **ticked}
        title, description = replaced(title or "", ticked), replaced(description or "", ticked)
        return title, description, self.shown(title, description, chosen, offered, json.dumps(known))

    def frozen(self) -> Changes:
        """For a post that cannot be edited: no list; the legend stays."""
        return self._listed({}, set())

    def emptied(self) -> Changes:
        """For another post: its [姓名1] is somebody else."""
        return {**self.frozen(), **self._legend(("", ""), {})}

    def _listed(self, found: dict[str, str], refused: set[str]) -> Changes:
        entries = [
            (self._words("masking_entry", original=" ".join(original.split()), placeholder=placeholder), placeholder)
            for original, placeholder in found.items()
        ]
        ticked = [placeholder for original, placeholder in found.items() if original not in refused]
        return {
            self.head: gr.update(label=self._words("masking", count=len(found)), visible=bool(found)),
            self.choices: gr.update(choices=entries, value=ticked),
            self.offered: json.dumps(found),
        }

    def _legend(self, texts: tuple[str, str], known: dict[str, str]) -> Changes:
        text = "".join(texts)
        lines = [f"{placeholder} {original}" for original, placeholder in known.items() if placeholder in text]
        return {
            self.legend: gr.update(visible=bool(lines)),
            self.legend_note: self._words("legend_note", count=len(lines)),
            self.legend_text: "\n".join(lines),
            self.kept: json.dumps(known),
        }


def _pairs(text: str) -> dict[str, str]:
    """What a hidden box holds; nothing where somebody else wrote into it."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
