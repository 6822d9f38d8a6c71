"""What a reviewer says beside the decision: verdicts, ratings, reasons and comments, and how it travels.

Comments are written and listed by static/review.js, out of and into hidden boxes; all else are gradio's own parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import gradio as gr

from app.chain import SECTIONS
from app.intake import MAX_REASON_CHARS
from app.web import wording
from app.web.draft_layout import pills, text_box
from app.web.words import Words
from storage.records import Aspect, Assessment, Comment, Reason, Review, Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
RATINGS = ("1", "2", "3", "4", "5")


class ReviewForm:
    """The parts of the form, placed where the page wants them.

    Events that read it must not let gradio check the choices of `reasons`: they are the centre's, and a restart forgets
    which were shown.
    """

    def __init__(self, words: Words):
        self._words = words
        self.verdicts: dict[str, gr.Radio] = {}
        # The reviewer's own comments, as the script keeps them, and the earlier reviews that it lists above them.
        self.comments = gr.Textbox(visible="hidden", elem_id="comments")
        self.earlier = gr.Textbox(visible="hidden", elem_id="earlier")
        # Pressed by the script after a pause.
        self.keep = gr.Button(visible="hidden", elem_id="keep")

    def verdict(self, section: str) -> None:
        """Place the verdict on a section, beside its heading."""
        words = self._words
        label = words("verdict_of", section=words.section(section))
        choices = [(words(f"verdict_{verdict}"), verdict) for verdict in VERDICTS]
        self.verdicts[section] = pills(f"verdict-{section}", label, choices, interactive=False)

    def weighed(self) -> None:
        """Place the ratings, the reasons and the opinion, below the answer."""
        words = self._words
        with gr.Row(elem_id="ratings"):
            self.ratings = {
                aspect: gr.Radio(
                    list(RATINGS),
                    label=words(f"aspect_{aspect}"),
                    container=True,
                    interactive=False,
                    elem_id=f"rating-{aspect}",
                    elem_classes="pills",
                    min_width=150,
                )
                for aspect in ASPECTS
            }
        self.reasons = gr.CheckboxGroup(
            [],
            label=words("reason_codes"),
            show_label=False,
            container=False,
            interactive=False,
            elem_id="reason-codes",
            elem_classes="pills",
        )
        self.reason = text_box(
            "reason",
            words("reviewer_reason"),
            lines=2,
            interactive=True,
            placeholder=words("reviewer_reason_hint"),
            max_length=MAX_REASON_CHARS,
        )

    def inputs(self) -> list[Any]:
        """What the browser sends of it."""
        return [*self.verdicts.values(), *self.ratings.values(), self.reasons, self.reason, self.comments]

    def parts(self) -> list[Any]:
        """All components that change."""
        return [*self.inputs(), self.earlier]

    def said(self, *values: Any) -> dict[str, Any]:
        """What `inputs` hold, as it is kept until the decision."""
        verdicts, rest = values[: len(SECTIONS)], values[len(SECTIONS) :]
        ratings, (reasons, reason, comments) = rest[: len(ASPECTS)], rest[len(ASPECTS) :]
        return {
            "verdicts": {name: value for name, value in zip(self.verdicts, verdicts, strict=True) if value in VERDICTS},
            "ratings": {name: value for name, value in zip(ASPECTS, ratings, strict=True) if value in RATINGS},
            "reasons": [value for value in reasons or [] if str(value).isdecimal()],
            "reason": reason or "",
            "comments": _comments(comments),
        }

    def shown(
        self, said: Mapping[str, Any], offered: Sequence[Reason], earlier: Sequence[Review], *, editable: bool
    ) -> dict[Any, Any]:
        """The form as it was left, beside what earlier reviews said."""
        verdicts, ratings = said.get("verdicts", {}), said.get("ratings", {})
        choices = [(reason.label, str(reason.id)) for reason in offered]
        ids = {value for _, value in choices}
        return {
            **{part: gr.update(value=verdicts.get(name), interactive=editable) for name, part in self.verdicts.items()},
            **{part: gr.update(value=ratings.get(name), interactive=editable) for name, part in self.ratings.items()},
            self.reasons: gr.update(
                choices=choices, value=[one for one in said.get("reasons", []) if one in ids], interactive=editable
            ),
            self.reason: gr.update(value=said.get("reason", ""), interactive=editable),
            self.comments: json.dumps(said.get("comments", []), ensure_ascii=False),
            self.earlier: json.dumps(
                [_earlier(self._words, review, offered) for review in earlier], ensure_ascii=False
            ),
        }

    def empty(self) -> dict[Any, Any]:
        """No draft open."""
        return self.shown({}, [], [], editable=False)


def assessment(said: Mapping[str, Any]) -> Assessment:
    """What is kept of a form, for the store."""
    return Assessment(
        verdicts=said["verdicts"],
        ratings={aspect: int(rating) for aspect, rating in said["ratings"].items()},
        comments=tuple(Comment(one["section"], one["text"], one["quote"]) for one in said["comments"]),
        reasons=tuple(int(one) for one in said["reasons"]),
    )


def _comments(sent: Any) -> list[dict[str, str]]:
    """The comments that the browser sent; what is none is left out."""
    try:
        found = json.loads(sent or "[]")
        return [
            {name: str(one[name]) for name in ("section", "quote", "text")}
            for one in found
            if one["section"] in SECTIONS and str(one["text"]).strip()
        ]
    except (ValueError, TypeError, KeyError):
        return []


def _earlier(words: Words, review: Review, offered: Sequence[Reason]) -> dict[str, Any]:
    head = words(
        "earlier_review",
        when=wording.clock(words, review.created_at),
        name=review.reviewer.name,
        decision=words(review.decision),
    )
    return {"head": head, "said": wording.review_lines(words, review, offered)}
