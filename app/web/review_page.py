"""The reviewing page: the queue, one draft with chain and answer side by side, what was changed, and the decision."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS
from app.drafting import Drafter
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import MAX_REASON_CHARS, accept_name, clean
from app.reviewing import Item, decide, desk_errors, item, queue
from app.web import shell, wording
from app.web.draft_layout import text_box
from app.web.sheet import Sheet, number
from app.web.words import Words
from storage.records import Decision, Draft, Person
from storage.store import Store

Changes = dict[Any, Any]
DECISIONS: tuple[Decision, ...] = ("approve", "return", "reject")
_WHOLE: dict[str, Any] = {"lines": 1, "max_lines": 2000}
"""A box as high as its text: a reviewer reads to the end."""
_COLOURS = {"+": "#d5e8dc", "-": "#f3d9d3", "#": "#ece5d8"}


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
            self._model, self._name, self._remembered = shell.top_bar(words, "review")
            self._status = gr.Markdown(words("item_none"), elem_id="status")
            # The exact text that is on screen: a decision on any other is refused.
            self._shown = gr.Textbox(visible="hidden", elem_id="sheet")
            with gr.Row(elem_id="columns", elem_classes="reviewing"):
                self._lay_out()
            self._wire()

    def _lay_out(self) -> None:
        words = self._words
        with gr.Column(elem_classes="pane queue", scale=2, min_width=200, elem_id="queue-pane"):
            with gr.Row(elem_classes="head"):
                gr.Markdown(wording.heading(words("queue")))
                self._refresh = gr.Button(words("refresh"), size="sm", min_width=60, scale=0, elem_id="refresh")
            self._queue_note = gr.Markdown(elem_classes="quiet", elem_id="queue-note")
            self._queue = gr.Radio(
                [], label=words("queue"), show_label=False, container=False, elem_id="queue", elem_classes="cards"
            )
        with gr.Column(elem_classes="pane", scale=5, min_width=280, elem_id="post-pane"):
            with gr.Row(elem_classes="head"):
                gr.Markdown(wording.heading(words("post")))
                self._number = gr.Markdown(elem_id="number")
            with gr.Column(elem_classes="scroll"):
                self._post = text_box("post", words("post"), **_WHOLE)
                self._boxes: dict[str, gr.Textbox] = {}
                for layer in LAYERS:
                    with gr.Column(elem_classes="layer", min_width=200):
                        title = words.layer(layer)[0]
                        gr.Markdown(f'<span class="tag">{layer.tag}</span> <span class="title">{title}</span>')
                        self._boxes[layer.tag] = text_box(layer.tag, f"{layer.tag} {title}", **_WHOLE)
        with gr.Column(elem_classes="pane", scale=5, min_width=280, elem_id="answer-pane"):
            with gr.Row(elem_classes="head"):
                # The browser alone switches, by style: the text on screen stays where the reader left it.
                views = [(words("answer"), "answer"), (words("difference"), "difference")]
                gr.Radio(
                    views, value="answer", interactive=True, label=words("answer"), show_label=False, container=False,
                    elem_id="view",
                )  # fmt: skip
                self._mark = gr.Markdown()
            with gr.Column(elem_classes="scroll", elem_id="answer-view"):
                self._boxes[ANSWER_TAG] = text_box("answer", words("answer"), **_WHOLE)
            with gr.Column(elem_classes="scroll", elem_id="difference-view"):
                self._legend = gr.Markdown(elem_classes="quiet", elem_id="legend")
                self._difference = gr.HighlightedText(
                    label=words("difference"),
                    show_label=False,
                    color_map=_COLOURS,
                    show_legend=False,
                    show_inline_category=False,
                    container=False,
                    elem_id="difference",
                )
            self._score = gr.Markdown(wording.score_line(words, None), elem_id="score")
            self._reason = text_box(
                "reason", words("reason"), lines=2, interactive=True, placeholder=words("reason_hint")
            )
            with gr.Row(elem_classes="actions"):
                self._buttons = {
                    decision: gr.Button(
                        words(decision),
                        variant="primary" if decision == "approve" else "secondary",
                        interactive=False,
                        min_width=80,
                        elem_id=decision,
                    )
                    for decision in DECISIONS
                }

    def _wire(self) -> None:
        every = [
            self._status, self._shown, self._queue, self._queue_note, self._number, self._post, self._mark,
            self._score, self._legend, self._difference, self._reason, self._name, self._model,
            *self._boxes.values(), *self._buttons.values(),
        ]  # fmt: skip
        # A plain request and its reply each; see the same in `draft_page`.
        asked: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        opened = [
            self.blocks.load(self._open, [self._remembered], every, **asked),
            self._queue.input(self._show, [self._queue, self._name], every, **asked),
            self._refresh.click(self._refreshed, [self._name, self._shown], every, **asked),
            self._name.blur(self._sign, [self._name, self._shown], [self._remembered, *every], **asked),
        ]
        for decision, button in self._buttons.items():
            decided = self._decider(decision)
            opened.append(button.click(decided, [self._name, self._shown, self._reason], every, **asked))
        for event in opened:
            event.then(self._live_score, [self._shown], [self._score], trigger_mode="multiple", **asked)

    # What a person does

    def _open(self, name: str, request: gr.Request) -> Changes:
        """A page was loaded: the first draft that waits, or the one its address names."""
        model = wording.engine_chip(self._words, self._engine.status(), self._model_title)
        # A remembered name only: an empty one would wipe out what somebody quick has typed meanwhile.
        signed = {self._name: name.strip()} if (name or "").strip() else {}
        return {**signed, self._model: model, **self._next(name, _asked(request))}

    def _show(self, chosen: str, name: str) -> Changes:
        return self._item(number(chosen) or 0, name)

    def _refreshed(self, name: str, shown: str) -> Changes:
        return self._next(name, _draft_id(shown))

    def _sign(self, name: str, shown: str, request: gr.Request) -> Changes:
        draft_id = _draft_id(shown) or _asked(request)
        return {self._remembered: shell.remember(name), **self._next(name, draft_id)}

    def _decider(self, decision: Decision) -> Any:
        def decided(name: str, shown: str, reason: str) -> Changes:
            """The text on screen is approved, returned or rejected, and the next one opens."""
            sheet, sha256 = _read(shown)
            if sheet is None:
                return {self._status: _alarm(self._words("lost"))}
            try:
                self._decide(name, sheet, sha256, decision, reason)
            except DeskError as error:
                return {self._status: _alarm(self._words.error(error))}
            said = self._words("decided_" + decision, id=sheet.draft_id)
            following = self._next(name, None)
            return {**following, self._status: f"{said} {following[self._status]}"}

        return decided

    def _decide(self, name: str, sheet: Sheet, sha256: str, decision: Decision, reason: str) -> None:
        reason = clean(reason or "").text.strip()
        if len(reason) > MAX_REASON_CHARS:
            raise DeskError("text_too_long", section="reason", chars=len(reason), limit=MAX_REASON_CHARS)
        decide(self._store, sheet.draft_id, sheet.version, sha256, self._person(name).id, decision, reason)

    def _live_score(self, shown: str) -> Any:
        """The score of the text on screen where none is stored; it comes after the text, which waits for no model."""
        sheet, _ = _read(shown)
        if sheet is None:
            return gr.skip()
        try:
            opened = item(self._store, sheet.draft_id)
        except DeskError:
            return gr.skip()
        if opened.text.version != sheet.version or opened.text.score is not None:
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
            return {**self._nothing(sentence), self._queue: gr.Radio(choices=[], value=None)}
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
            self._queue: gr.Radio(choices=choices, value=str(draft_id) if listed else None),
            self._queue_note: f"{note} {words('queue_waiting', count=len(own)) if own else ''}".strip(),
        }

    def _nothing(self, sentence: str) -> Changes:
        """No draft open."""
        return {
            **{box: "" for box in self._boxes.values()},
            **{button: gr.Button(interactive=False) for button in self._buttons.values()},
            self._shown: "",
            self._status: sentence,
            self._post: "",
            self._number: "",
            self._mark: "",
            self._score: wording.score_line(self._words, None),
            self._legend: "",
            self._difference: [],
            self._reason: "",
        }

    def _item(self, draft_id: int, name: str) -> Changes:
        """One draft, ready to be decided; the buttons are off, with the reason in words, where this person may not."""
        words = self._words
        try:
            person = self._person(name)
            opened = item(self._store, draft_id)
        except DeskError as error:
            return self._nothing(_alarm(words.error(error)))
        text, draft = opened.text, opened.draft
        own = person.id in (draft.author.id, text.person.id)
        open_to_me = draft.state == "submitted" and not own
        mark = "approved" if draft.state == "approved" else "unreviewed"
        spans = self._spans(opened)
        return {
            **{self._boxes[section]: part for section, part in text.response.parts().items()},
            **{button: gr.Button(interactive=open_to_me) for button in self._buttons.values()},
            self._shown: f"{draft.id}/{text.version}/{text.text_sha256}",
            self._status: self._standing(draft, own),
            self._post: f"{draft.post.title}\n\n{draft.post.description}".strip(),
            self._number: words("item_of", id=draft.id, version=text.version),
            self._mark: f'<span class="mark {mark}">{words("mark_" + mark)}</span>',
            self._score: wording.score_line(words, text.score, edited=True),
            self._legend: words("difference_legend" if spans else "difference_none"),
            self._difference: spans,
            self._reason: "",
        }

    def _standing(self, draft: Draft, own: bool) -> str:
        """What can be done with the draft on screen, or why nothing can."""
        if draft.state == "submitted":
            return self._words("own_item" if own else "review_hint")
        return self._words("mark_unreviewed" if draft.state == "open" else draft.state)

    def _spans(self, opened: Item) -> list[tuple[str, str | None]]:
        return wording.difference(self._words, opened.draft.sections, opened.text.response.parts())

    def _person(self, name: str) -> Person:
        with desk_errors():
            return self._store.person(accept_name(name or ""))


def _asked(request: gr.Request) -> int | None:
    """The draft that the page's address names."""
    return _draft_id(request.query_params.get("draft", ""))


def _draft_id(shown: str) -> int | None:
    return number((shown or "").partition("/")[0])


def _read(shown: str) -> tuple[Sheet | None, str]:
    """Draft, version and hash of the text on screen, as the browser sent them back."""
    sheet, _, sha256 = (shown or "").rpartition("/")
    return Sheet.read(sheet), sha256


def _alarm(sentence: str) -> str:
    return f'<span class="alarm">{sentence}</span>'
