"""The reviewing page: its events, one draft opened with all that its reader should weigh, and the decision."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.chain import post_text
from app.drafting import Drafter
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import accept_name
from app.reviewing import decide, desk_errors, item, queue, standing
from app.web import shell, wording
from app.web.marks import draft_marks
from app.web.review_layout import ReviewLayout
from app.web.sheet import Sheet, number
from app.web.words import Words
from storage.records import Decision, Draft, Person
from storage.store import Store

Changes = dict[Any, Any]


class ReviewPage:
    """One language's reviewing page; `blocks` is what gets mounted."""

    def __init__(self, words: Words, store: Store, drafter: Drafter, engine: Engine, model_title: str):
        self._words = words
        self._store = store
        self._drafter = drafter
        self._engine = engine
        self._model_title = model_title
        title = f"{words('page_review')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._at = ReviewLayout(words)
            self._wire()

    def _wire(self) -> None:
        at = self._at
        every = at.everything()
        # A plain request and its reply each; see the same in `draft_page`.
        asked: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        opened = [
            self.blocks.load(self._open, [at.remembered], every, **asked),
            at.queue.input(self._show, [at.queue, at.name], every, **asked),
            at.refresh.click(self._refreshed, [at.name, at.sheet], every, **asked),
            at.name.blur(self._sign, [at.name, at.sheet], [at.remembered, *every], **asked),
        ]
        for decision, button in at.buttons.items():
            opened.append(button.click(self._decider(decision), [at.name, at.sheet, at.reason], every, **asked))
        for event in opened:
            event.then(self._live_score, [at.sheet], [at.score], trigger_mode="multiple", **asked)

    # What a person does

    def _open(self, name: str, request: gr.Request) -> Changes:
        """A page was loaded: the first draft that waits, or the one its address names."""
        model = wording.engine_chip(self._words, self._engine.status(), self._model_title)
        # A remembered name only: an empty one would wipe out what somebody quick has typed meanwhile.
        signed = {self._at.name: name.strip()} if (name or "").strip() else {}
        return {**signed, self._at.model: model, **self._next(name, _asked(request))}

    def _show(self, chosen: str, name: str) -> Changes:
        return self._item(number(chosen) or 0, name)

    def _refreshed(self, name: str, sheet: str) -> Changes:
        return self._next(name, _draft_id(sheet))

    def _sign(self, name: str, sheet: str, request: gr.Request) -> Changes:
        draft_id = _draft_id(sheet) or _asked(request)
        return {self._at.remembered: shell.remember(name), **self._next(name, draft_id)}

    def _decider(self, decision: Decision) -> Any:
        def decided(name: str, sheet: str, reason: str) -> Changes:
            """The text on screen is approved, returned or rejected, and the next one opens."""
            shown, sha256 = _read(sheet)
            if shown is None:
                return {self._at.status: _alarm(self._words("lost"))}
            try:
                person = self._person(name)
                decide(self._store, shown.draft_id, shown.version, sha256, person.id, decision, reason or "")
            except DeskError as error:
                return {self._at.status: _alarm(self._words.error(error))}
            said = self._words("decided_" + decision, id=shown.draft_id)
            following = self._next(name, None)
            return {**following, self._at.status: f"{said} {following[self._at.status]}"}

        return decided

    def _live_score(self, sheet: str) -> Any:
        """The score of the text on screen where none is stored; it comes after the text, which waits for no model."""
        shown, _ = _read(sheet)
        if shown is None:
            return gr.skip()
        try:
            opened = item(self._store, shown.draft_id)
        except DeskError:
            return gr.skip()
        if opened.text.version != shown.version or opened.text.score is not None:
            return gr.skip()
        score = self._drafter.score(opened.draft, opened.text.response)
        return gr.skip() if score is None else wording.score_line(self._words, score)

    # What the page shows

    def _next(self, name: str, draft_id: int | None) -> Changes:
        """The queue as this person sees it, with one draft open: the one asked for, or the first they may decide."""
        words = self._words
        try:
            person = self._person(name)
            lists = [queue(self._store, view, person.id) for view in ("to_review", "waiting")]
        except DeskError as error:
            missing = error.code.startswith("name_")
            sentence = words("name_first") if missing else _alarm(words.error(error))
            return {**self._nothing(sentence), self._at.queue: gr.Radio(choices=[], value=None)}
        others, own = lists[0].items, lists[1].items
        choices = [(wording.queue_line(words, line, False), str(line.draft_id)) for line in others]
        choices += [(wording.queue_line(words, line, True), str(line.draft_id)) for line in own]
        if draft_id is None and others:
            draft_id = others[0].draft_id
        page = self._item(draft_id, name) if draft_id is not None else self._nothing(words("queue_none"))
        listed = draft_id in [line.draft_id for line in (*others, *own)]
        waiting = lists[0].counts["to_review"]
        note = "" if others else words("queue_none")
        if waiting > len(others):
            note = words("queue_more", count=waiting, shown=len(others))
        return {
            **page,
            self._at.queue: gr.Radio(choices=choices, value=str(draft_id) if listed else None),
            self._at.queue_note: f"{note} {words('queue_waiting', count=len(own)) if own else ''}".strip(),
        }

    def _nothing(self, sentence: str) -> Changes:
        """No draft open."""
        at = self._at
        return {
            **{box: "" for box in at.boxes.values()},
            **{button: gr.Button(interactive=False) for button in at.buttons.values()},
            **at.signals.said(""),
            **at.let_stand.nothing(),
            **at.difference.none(),
            at.sheet: "",
            at.status: sentence,
            at.title: gr.update(value="", visible=False),
            at.description: "",
            at.number: "",
            at.mark: "",
            at.marks: "",
            at.score: wording.score_line(self._words, None),
            at.reason: "",
        }

    def _item(self, draft_id: int, name: str) -> Changes:
        """One draft, ready to be decided; the buttons are off, with the reason in words, where this person may not."""
        at, words = self._at, self._words
        try:
            person = self._person(name)
            opened = item(self._store, draft_id)
        except DeskError as error:
            return self._nothing(_alarm(words.error(error)))
        text, draft, post = opened.text, opened.draft, opened.draft.post
        own = person.id in opened.writers
        open_to_me = draft.state == "submitted" and not own
        mark = "approved" if draft.state == "approved" else "unreviewed"
        whole = post_text(post.title, post.description)
        texts = text.response.parts()
        return {
            **{at.boxes[section]: part for section, part in texts.items()},
            **{button: gr.Button(interactive=open_to_me) for button in at.buttons.values()},
            **at.signals.said(whole),
            **at.let_stand.shown(opened.overrides, text),
            **at.difference.shown(draft.sections, texts),
            at.sheet: f"{draft.id}/{text.version}/{text.text_sha256}",
            at.status: self._standing(draft, own),
            at.title: gr.update(value=post.title, visible=bool(post.title)),
            at.description: post.description,
            at.number: words("item_of", id=draft.id, version=text.version),
            at.mark: f'<span class="mark {mark}">{words("mark_" + mark)}</span>',
            at.marks: draft_marks(words, post.title, post.description, texts, standing(whole)),
            at.score: wording.score_line(words, text.score, edited=True),
            at.reason: "",
        }

    def _standing(self, draft: Draft, own: bool) -> str:
        """What can be done with the draft on screen, or why nothing can."""
        if draft.state == "submitted":
            return self._words("own_item" if own else "review_hint")
        return self._words("mark_unreviewed" if draft.state == "open" else draft.state)

    def _person(self, name: str) -> Person:
        with desk_errors():
            return self._store.person(accept_name(name or ""))


def _asked(request: gr.Request) -> int | None:
    """The draft that the page's address names."""
    return _draft_id(request.query_params.get("draft", ""))


def _draft_id(sheet: str) -> int | None:
    return number((sheet or "").partition("/")[0])


def _read(sheet: str) -> tuple[Sheet | None, str]:
    """Draft, version and hash of the text on screen, as the browser sent them back."""
    shown, _, sha256 = (sheet or "").rpartition("/")
    return Sheet.read(shown), sha256


def _alarm(sentence: str) -> str:
    return f'<span class="alarm">{sentence}</span>'
