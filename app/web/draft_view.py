"""What the drafting page shows of a draft: the store's rows and the drafter's snapshots as new values of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS, post_text
from app.drafting import Drafter, Snapshot, read_by_the_model
from app.engine.protocol import Engine
from app.errors import DeskError
from app.people import signed
from app.reviewing import desk_errors, said_of_danger
from app.segments import fitting_chars, parts
from app.web import wording
from app.web.draft_layout import BY_THE_MODEL, DraftLayout
from app.web.marks import draft_marks
from app.web.sheet import Sheet
from app.web.signal_banner import must_act
from app.web.words import Words
from storage.records import Draft, Post, Review, Revision
from storage.store import Store

RECENT = 12
EDITABLE = ("open", "returned", "rejected")

Changes = dict[Any, Any]
"""New values by component; what is not named stays as it is. Equal values are equal: components are changed by
`gr.update`, so that what is on screen already need not be sent again."""


class DraftView:
    """Reads the store and the drafter, changes neither."""

    def __init__(self, words: Words, layout: DraftLayout, store: Store, drafter: Drafter, engine: Engine):
        self._words = words
        self._at = layout
        self._store = store
        self._drafter = drafter
        self._engine = engine

    def look(self, draft_id: int) -> tuple[Draft, tuple[Snapshot, ...]]:
        """A draft and the candidates of its request, the best first.

        Raises:
            DeskError: draft_unknown, or what the store refused.
        """
        candidates = self._drafter.candidates(draft_id)
        with desk_errors():
            return self._store.draft(draft_id), candidates

    def nothing(self, name: str) -> Changes:
        """An empty page, ready for a post."""
        at, words = self._at, self._words
        heads = {at.layer_heads[layer.tag]: wording.layer_heading(words, layer, "waiting") for layer in LAYERS}
        boxes = {box: gr.update(value="", interactive=False) for box in at.boxes.values()}
        return {
            **heads,
            **boxes,
            **self._bound(None),
            at.number: "",
            at.parts: gr.update(visible=False),
            at.stamp: "",
            at.status: words("idle"),
            at.title: gr.update(value="", interactive=True),
            at.description: gr.update(value="", interactive=True),
            at.aim: gr.update(value=BY_THE_MODEL, interactive=True),
            at.answer_head: wording.heading(words("answer")),
            at.score: wording.score_line(words, None),
            at.reason: gr.update(value="", visible=False),
            at.override: gr.update(value="", visible=False),
            at.conflict: gr.update(visible=False),
            at.marks: "",
            at.reasons: "",
            **at.difference.none(),
            at.chain_head: wording.heading(words("chain")),
            **self._choices(NOBODY, (), editable=False),
            at.past: gr.update(interactive=False),
            at.versions: gr.update(visible=False),
            **self._buttons(running=False, editable=False, fresh=True),
            **self.signals(None),
            **at.masking.emptied(),
            **self.recents(name, None),
        }

    def writing(self, draft: Draft, candidates: Sequence[Snapshot], note: str = "") -> Changes:
        """A draft that is being written."""
        at, words = self._at, self._words
        now = one_of(candidates, draft)
        shown = {
            **self._standing(draft, candidates, editable=False),
            **self._bound(Sheet(draft.id, 0)),
            at.status: f"{wording.stage(words, now, self._engine.status())} {note}".strip(),
            at.title: gr.update(value=draft.post.title, interactive=False),
            at.description: gr.update(value=draft.post.description, interactive=False),
            **self._marked("unreviewed"),
            at.score: wording.score_line(words, None),
            at.stamp: "",
            at.reason: gr.update(value="", visible=False),
            at.marks: "",
            at.reasons: "",
            **at.difference.none(),
            at.past: gr.update(interactive=False),
            **self._buttons(running=True, editable=False),
        }
        for layer in LAYERS:
            state = wording.layer_state(now, layer.tag, None)
            shown[at.layer_heads[layer.tag]] = wording.layer_heading(words, layer, state)
        for name, box in at.boxes.items():
            shown[box] = gr.update(value=now.parts.get(name, ""), interactive=False)
        return shown

    def written(self, draft: Draft, candidates: Sequence[Snapshot]) -> Changes:
        """A draft that is over, with the person's text where there is one."""
        at, words = self._at, self._words
        now = one_of(candidates, draft)
        with desk_errors():
            revision = self._store.latest_revision(draft.id)
            reviews = self._store.reviewing.reviews(draft.id) if draft.state in ("returned", "rejected") else []
        texts = revision.response.parts() if revision else now.parts
        editable = draft.state in EDITABLE
        # What could not be written from this post may be written from a part of it.
        again = now.stage != "done"
        return {
            **self._standing(draft, candidates, editable=editable),
            **self._bound(Sheet(draft.id, revision.version if revision else 0)),
            **self.edited(draft, now, revision),
            **{box: gr.update(value=texts.get(name, ""), interactive=editable) for name, box in at.boxes.items()},
            at.status: wording.outcome(words, draft, now),
            at.parts: self._parts(draft, now),
            at.title: gr.update(value=draft.post.title, interactive=again),
            at.description: gr.update(value=draft.post.description, interactive=again),
            **self._marked("approved" if draft.state == "approved" else "unreviewed"),
            at.stamp: wording.saved(words, revision.version, revision.created_at) if revision else "",
            at.reason: gr.update(value=self._found(reviews), visible=bool(reviews)),
            at.reasons: "",
            **self._buttons(running=False, editable=editable),
            at.reopen: gr.update(visible=draft.state == "approved"),
        }

    def _found(self, reviews: Sequence[Review]) -> str:
        """What those said who reviewed the text last."""
        with desk_errors():
            reasons = self._store.reviewing.reasons()
        last = [review for review in reviews if review.version == reviews[-1].version]
        return "\n\n".join("\n".join(wording.review_lines(self._words, review, reasons)) for review in last)

    def settled(self, draft: Draft) -> Changes:
        """What can be done with a draft that is over; the texts are left alone."""
        editable = draft.state in EDITABLE
        at = self._at
        parts = [*at.boxes.values(), *at.sources.values(), at.aim]
        return {
            **{part: gr.update(interactive=editable) for part in parts},
            **self._buttons(running=False, editable=editable),
        }

    def edited(self, draft: Draft, now: Snapshot, revision: Revision | None) -> Changes:
        """What tells the model's text from a person's, and what stands out in the text that counts."""
        at, words = self._at, self._words
        texts = revision.response.parts() if revision else None
        score = revision.score if revision else now.score
        rewritten = texts is not None and texts[ANSWER_TAG] != now.parts.get(ANSWER_TAG)
        heads = {
            at.layer_heads[layer.tag]: wording.layer_heading(words, layer, wording.layer_state(now, layer.tag, texts))
            for layer in LAYERS
        }
        return {
            **heads,
            at.marks: self._marks(draft.post, texts or now.parts),
            **(at.difference.shown(now.parts, texts) if texts else at.difference.none()),
            at.score: wording.score_line(words, score, rewritten),
            at.past: gr.update(interactive=revision is not None),
        }

    def signals(self, post: Post | None) -> Changes:
        """The signals of a post; where a person must act at once, the checklist in the place of the draft."""
        at = self._at
        text = post_text(post.title, post.description) if post else ""
        held = post is not None and must_act(text) and not self._released(post)
        return {**at.signals.shown(text, held=held), **({} if held else at.signals.asked())}

    def recents(self, name: str, chosen: int | None) -> Changes:
        """The person's own drafts; no list for who has not signed, or signed impossibly."""
        drafts: list[Draft] = []
        beside: set[int] = set()
        told: Changes = {}
        try:
            person = signed(self._store, name)
            with desk_errors():
                drafts = self._store.recent_drafts(person.id, RECENT)
            # A request is listed once, whichever of its candidates is on screen.
            beside = {one.draft_id for one in self._drafter.candidates(chosen)} if chosen else set()
        except DeskError as error:
            if not error.code.startswith("name_"):
                told = {self._at.status: self.alarm(error)}
        choices = [(wording.recent_line(self._words, draft), str(draft.id)) for draft in drafts]
        value = next((str(draft.id) for draft in drafts if draft.id in beside), None)
        info = "" if choices else self._words("recent_none")
        return {**told, self._at.recent: gr.update(choices=choices, value=value, info=info)}

    def past(self, draft: Draft) -> Changes:
        """The versions of a draft, the newest first and the model's own at the end."""
        with desk_errors():
            versions = self._store.history.versions(draft.id)
        lines = [(wording.version_line(self._words, version), str(version.version)) for version in versions]
        own = (self._words("version_of_model"), "0")
        return {self._at.versions: gr.update(choices=[*lines, own], value=str(draft.version), visible=True)}

    def alarm(self, error: DeskError) -> str:
        """An error for the status line."""
        return wording.alarm(self._words.error(error))

    # Parts of the above

    def _marks(self, post: Post, texts: Mapping[str, str]) -> str:
        signals = said_of_danger(post_text(post.title, post.description))
        return draft_marks(self._words, post.title, post.description, texts, signals)

    def _parts(self, draft: Draft, now: Snapshot) -> Any:
        """The parts of a post that the model found too long, to choose one from."""
        error = now.error
        # A desk that was started anew knows only that it was too long; drafting once more tells how much.
        if error is None or error.code != "post_too_long" or not error.values.get("limit"):
            return gr.update(visible=False)
        text = read_by_the_model(draft)
        limit = fitting_chars(text, int(str(error.values["tokens"])), int(str(error.values["limit"])))
        first = draft.origin.part_start
        choices = [
            (wording.part_line(self._words, number, text[start:end]), f"{first + start}/{first + end}")
            for number, (start, end) in enumerate(parts(text, limit), start=1)
        ]
        return gr.update(choices=choices, value=None, visible=True)

    def _released(self, post: Post) -> bool:
        with desk_errors():
            return self._store.released(post.id)

    def _standing(self, draft: Draft, candidates: Sequence[Snapshot], *, editable: bool) -> Changes:
        """What belongs to a draft whether or not it is over."""
        at = self._at
        return {
            at.number: wording.draft_number(self._words, draft),
            at.parts: gr.update(visible=False),
            at.aim: gr.update(value=draft.origin.aim or BY_THE_MODEL, interactive=editable),
            at.conflict: gr.update(visible=False),
            at.override: gr.update(value="", visible=False),
            at.versions: gr.update(visible=False),
            **at.masking.frozen(),
            **self._choices(draft.id, candidates, editable=editable),
            **self.signals(draft.post),
        }

    def _choices(self, draft_id: int, candidates: Sequence[Snapshot], *, editable: bool) -> Changes:
        """The candidates of the request, to be looked at as a whole or taken from by the section."""
        several = len(candidates) > 1
        lines = [(wording.candidate_line(self._words, one), str(one.draft_id)) for one in candidates]
        shown = {self._at.candidates: gr.update(choices=lines, value=str(draft_id), visible=several)}
        numbered = sorted(candidates, key=lambda one: one.candidate)
        for section, source in self._at.sources.items():
            # Nothing can be taken from a candidate that has not come to this section.
            choices = [(str(one.candidate), str(one.draft_id)) for one in numbered if one.parts.get(section)]
            several = len(choices) > 1 and all(one.over for one in candidates)
            shown[source] = gr.update(choices=choices, value=str(draft_id), visible=several, interactive=editable)
        return shown

    def _bound(self, sheet: Sheet | None) -> Changes:
        """Belongs to every filling of the boxes: what they show from now on."""
        return {self._at.sheet: str(sheet or ""), self._at.saved: "", self._at.rival: ""}

    def _marked(self, kind: str) -> Changes:
        """Chain and answer under the mark that no text of a model goes without."""
        mark = self._words("mark_" + kind)
        return {
            self._at.chain_head: wording.heading(self._words("chain"), mark, kind),
            self._at.answer_head: wording.heading(self._words("answer"), mark, kind),
        }

    def _buttons(self, *, running: bool, editable: bool, fresh: bool = False) -> Changes:
        at = self._at
        return {
            **{button: gr.update(interactive=editable) for button in at.redrafting()},
            at.start: gr.update(
                value=self._words("start" if fresh else "start_again"),
                variant="primary" if fresh else "secondary",
                interactive=not running,
            ),
            at.stop: gr.update(interactive=running),
            at.save: gr.update(interactive=editable),
            at.why: gr.update(interactive=not running and not fresh),
            at.submit: gr.update(interactive=editable),
            # Of an approved text alone; `written` shows it.
            at.reopen: gr.update(visible=False),
        }


NOBODY = 0
"""No draft has this id."""


def one_of(candidates: Sequence[Snapshot], draft: Draft) -> Snapshot:
    """A draft's own snapshot among those of its request."""
    return next(one for one in candidates if one.draft_id == draft.id)


def untold(told: Mapping[Any, Any], shown: Mapping[Any, Any]) -> Changes:
    """What of `shown` has not been told yet."""
    return {part: value for part, value in shown.items() if told.get(part) != value}
