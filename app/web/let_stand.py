"""On the reviewing page: why a text was handed on although findings that must be mended stood in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.web import wording
from app.web.draft_layout import text_box
from app.web.words import Words
from storage.records import Override, Revision, Version


class LetStand:
    """Who, when, which rules, and the reason as it was typed. Hidden where there is nothing of the kind."""

    def __init__(self, words: Words):
        self._words = words

    def placed(self) -> None:
        """Place it, hidden; inside an open column."""
        with gr.Column(visible=False, elem_id="let-stand", min_width=200) as self.all:
            self.reason = text_box(
                "let-stand", self._words("override"), lines=1, max_lines=2000, show_label=True, container=True
            )
            self.rules = gr.Markdown(elem_classes="rules")

    def parts(self) -> list[Any]:
        """All components that change."""
        return [self.all, self.rules, self.reason]

    def shown(self, overrides: Sequence[Override], text: Revision) -> dict[Any, Any]:
        """What was said when exactly this text was handed on, the last time; reasons for other texts are no matter."""
        said = [override for override in overrides if override.text_sha256 == text.text_sha256]
        if not said:
            return self.nothing()
        last = said[-1]
        version = Version(last.version, last.person, last.created_at)
        # A rule that a later desk no longer knows is named as it was then.
        rules = [self._words.text.get(f"lint_{rule}", rule) for rule in last.rules]
        label = self._words("let_stand", version=wording.version_line(self._words, version))
        return {
            self.all: gr.update(visible=True),
            self.rules: "\n".join(f"- {rule}" for rule in rules),
            self.reason: gr.update(value=last.reason, label=label),
        }

    def nothing(self) -> dict[Any, Any]:
        """No text, or one without such a reason."""
        return {self.all: gr.update(visible=False), self.rules: "", self.reason: ""}
