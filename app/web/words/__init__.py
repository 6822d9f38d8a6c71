"""Every visible string of the desk, one module a language; but layer titles come from `app.chain.LAYERS`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.chain import LAYERS, Layer
from app.errors import DeskError
from app.web.words import (
    en,
    en_curation,
    en_data,
    en_notes,
    en_ranking,
    en_review,
    zh,
    zh_curation,
    zh_data,
    zh_notes,
    zh_ranking,
    zh_review,
)

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Words:
    """The strings of one language; call it with a key and the values to fill in."""

    language: Language
    html_lang: str
    text: Mapping[str, str]
    errors: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        return self.text[key].format(**values)

    def error(self, error: DeskError) -> str:
        """The sentence for an error; one whose values were lost with a restart shows an ellipsis in their place."""
        values = defaultdict(lambda: "…", error.values)
        if "section" in values:
            values["section"] = self.section(str(values["section"]))
        return self.errors.get(error.code, self.errors["internal"]).format_map(values)

    def layer(self, layer: Layer) -> tuple[str, str]:
        """Title of a layer, and what belongs in it."""
        return (layer.zh, layer.zh_brief) if self.language == "zh" else (layer.en, layer.en_brief)

    def section(self, name: str) -> str:
        """What a section of a response, or the reason of a review, is called on screen."""
        for layer in LAYERS:
            if layer.tag == name:
                return f"{name} {self.layer(layer)[0]}"
        return self(name)


_AREAS = {
    "zh": (zh, zh_notes, zh_review, zh_ranking, zh_curation, zh_data),
    "en": (en, en_notes, en_review, en_ranking, en_curation, en_data),
}
_TEXT = {
    language: {key: text for area in areas for key, text in area.TEXT.items()} for language, areas in _AREAS.items()
}

WORDS: Mapping[Language, Words] = {
    "zh": Words("zh", "zh-CN", _TEXT["zh"], zh.ERRORS),
    "en": Words("en", "en", _TEXT["en"], en.ERRORS),
}
