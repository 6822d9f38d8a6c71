"""The reviewing page: its lists, one draft opened with all that its reader should weigh, and the decision."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app import reviewing
from app.chain import post_text
from app.drafting import Drafter
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import clean
from app.people import signed
from app.reviewing import Item, desk_errors, said_of_danger
from app.web import shell, wording
from app.web.marks import draft_marks
from app.web.review_form import assessment
from app.web.review_layout import MAX_SEARCH_CHARS, MODEL, ORDERS, VIEWS, ReviewLayout
from app.web.sheet import Sheet, number
from app.web.words import Words
from storage.queue import Filter
from storage.records import Decision, Order, Person, State, View
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
        # The choices of lists come with the replies, and a restart of the desk forgets which were shown.
        asked["preprocess"] = False
        where = [at.name, at.sheet, at.view, at.search, at.order]
        opened = [
            self.blocks.load(self._open, [at.remembered], every, **asked),
            at.queue.input(self._show, [at.queue, *where], every, **asked),
            at.name.blur(self._sign, where, [at.remembered, *every], **asked),
            at.undo.click(self._undo, [at.undo, *where], every, **asked),
        ]
        listed = [at.refresh.click, at.view.input, at.order.input, at.search.submit, at.search.blur]
        opened += [listen(self._refreshed, where, every, **asked) for listen in listed]
        for decision, button in at.buttons.items():
            opened.append(button.click(self._decider(decision), [*where, *at.form.inputs()], every, **asked))
        for event in opened:
            event.then(self._live_score, [at.sheet], [at.score], trigger_mode="multiple", **asked)
        at.form.keep.click(self._keep, [at.name, at.sheet, *at.form.inputs()], [at.status], **asked)
        at.beat.tick(self._stay, [at.name, at.sheet], None, **asked)
        at.base.input(self._compare, [at.sheet, at.base], at.difference.parts(), **asked)

    # What a person does

    def _open(self, name: str, request: gr.Request) -> Changes:
        """A page was loaded: the first draft that waits, or the one its address names."""
        model = wording.engine_chip(self._words, self._engine.status(), self._model_title)
        # A remembered name only: an empty one would wipe out what somebody quick has typed meanwhile.
        signed = {self._at.name: name.strip()} if (name or "").strip() else {}
        return {**signed, self._at.model: model, **self._next(name, _asked(request))}

    def _show(self, chosen: str, name: str, sheet: str, view: str, search: str, order: str) -> Changes:
        """Another draft of the list; the one before is free for others."""
        self._leave(name, sheet)
        return self._next(name, number(chosen), view, search, order)

    def _refreshed(self, name: str, sheet: str, view: str, search: str, order: str) -> Changes:
        return self._next(name, _draft_id(sheet), view, search, order)

    def _sign(self, request: gr.Request, name: str, sheet: str, view: str, search: str, order: str) -> Changes:
        draft_id = _draft_id(sheet) or _asked(request)
        return {self._at.remembered: shell.remember(name), **self._next(name, draft_id, view, search, order)}

    def _decider(self, decision: Decision) -> Any:
        def decided(name: str, sheet: str, view: str, search: str, order: str, *form: Any) -> Changes:
            """The text on screen is decided on, and the next one opens."""
            at, words = self._at, self._words
            shown, sha256 = _read(sheet)
            if shown is None:
                return {at.status: wording.alarm(words("lost"))}
            said = at.form.said(*form)
            try:
                person = signed(self._store, name)
                self._store_said(shown, person, said)
                reviewing.decide(
                    self._store,
                    shown.draft_id,
                    shown.version,
                    sha256,
                    person.id,
                    decision,
                    said["reason"],
                    assessment(said),
                )
            except DeskError as error:
                return {at.status: wording.alarm(words.error(error))}
            following = self._next(name, None, view, search, order)
            status = f"{words('decided_' + decision, id=shown.draft_id)} {following[at.status]}"
            undo = gr.update(value=words("undo", id=shown.draft_id), visible=True)
            return {**following, at.status: status, at.undo: undo}

        return decided

    def _undo(self, button: str, name: str, sheet: str, view: str, search: str, order: str) -> Changes:
        """The decision is taken back, and its draft is on screen again, with all that was said."""
        draft_id = number("".join(char for char in button if char.isdecimal())) or 0
        hidden = {self._at.undo: gr.update(visible=False)}
        try:
            person = signed(self._store, name)
            reviewing.undo(self._store, draft_id, person.id)
        except DeskError as error:
            return {**hidden, self._at.status: wording.alarm(self._words.error(error))}
        self._leave(name, sheet)
        opened = self._next(name, draft_id, view, search, order)
        return {**opened, **hidden, self._at.status: self._words("undone", id=draft_id)}

    def _keep(self, name: str, sheet: str, *form: Any) -> Any:
        """What was said so far is kept: a reload, or another draft in between, loses none of it."""
        shown, _ = _read(sheet)
        if shown is None:
            return gr.skip()
        try:
            self._store_said(shown, signed(self._store, name), self._at.form.said(*form))
        except DeskError as error:
            return wording.alarm(self._words.error(error))
        return gr.skip()

    def _stay(self, name: str, sheet: str) -> None:
        """The page is still open: so is the claim."""
        shown, _ = _read(sheet)
        if shown is not None:
            try:
                reviewing.claim(self._store, shown.draft_id, signed(self._store, name).id)
            except DeskError:
                return  # decided, or somebody else's by now: what is pressed next will say so

    def _leave(self, name: str, sheet: str) -> None:
        shown, _ = _read(sheet)
        if shown is not None:
            try:
                reviewing.release(self._store, shown.draft_id, signed(self._store, name).id)
            except DeskError:
                return  # without a name there was no claim

    def _compare(self, sheet: str, base: str) -> Changes:
        """The marks of another difference."""
        shown, _ = _read(sheet)
        if shown is None:
            return self._at.difference.none()
        with desk_errors():
            revision = self._store.history.revision(shown.draft_id, number(base) or 0)
            draft = self._store.draft(shown.draft_id)
            text = self._store.latest_revision(shown.draft_id)
        before = revision.response.parts() if revision else draft.sections
        return self._at.difference.shown(before, text.response.parts() if text else before)

    def _live_score(self, sheet: str) -> Any:
        """The score of the text on screen where none is stored; it comes after the text, which waits for no model."""
        shown, _ = _read(sheet)
        if shown is None:
            return gr.skip()
        try:
            opened = reviewing.item(self._store, shown.draft_id)
        except DeskError:
            return gr.skip()
        if opened.text.version != shown.version or opened.text.score is not None:
            return gr.skip()
        score = self._drafter.score(opened.draft, opened.text.response)
        return gr.skip() if score is None else wording.score_line(self._words, score)

    # What the page shows

    def _next(
        self,
        name: str,
        draft_id: int | None,
        view: str = VIEWS[0],
        search: str = "",
        order: str = ORDERS[0],
    ) -> Changes:
        """A list as this person sees it, with one draft open: the one asked for, or the first that nobody has open."""
        at, words = self._at, self._words
        try:
            person = signed(self._store, name)
            narrowed = Filter(words=clean(search or "").text[:MAX_SEARCH_CHARS])
            chosen: View = next((one for one in VIEWS if one == view), VIEWS[0])
            by: Order = next((one for one in ORDERS if one == order), ORDERS[0])
            found = reviewing.queue(self._store, chosen, person.id, narrowed=narrowed, order=by)
        except DeskError as error:
            missing = error.code.startswith("name_")
            sentence = words("name_first") if missing else wording.alarm(words.error(error))
            return {**self._nothing(sentence), at.queue: gr.update(choices=[], value=None)}
        lines = found.items
        if draft_id is None:
            draft_id = next((line.draft_id for line in lines if not line.holders), None)
        own = chosen in ("waiting", "returned")
        choices = [(wording.queue_line(words, line, own), str(line.draft_id)) for line in lines]
        page = self._item(draft_id, person) if draft_id is not None else self._nothing(words("queue_none"))
        count = found.counts[chosen]
        note = words("queue_more", count=count, shown=len(lines)) if count > len(lines) and not narrowed.words else ""
        views = [(words(f"view_{one}", count=found.counts[one]), one) for one in VIEWS]
        return {
            **page,
            at.view: gr.update(choices=views, value=chosen),
            at.queue: gr.update(
                choices=choices, value=str(draft_id) if draft_id in [line.draft_id for line in lines] else None
            ),
            at.queue_note: note or ("" if lines else words("queue_empty")),
        }

    def _nothing(self, sentence: str) -> Changes:
        """No draft open."""
        at = self._at
        return {
            **{box: "" for box in at.boxes.values()},
            **{button: gr.update(interactive=False) for button in at.buttons.values()},
            **at.signals.said(""),
            **at.let_stand.nothing(),
            **at.difference.none(),
            **at.form.empty(),
            at.base: gr.update(choices=[(self._words("compare_model"), MODEL)], value=MODEL),
            at.sheet: "",
            at.status: sentence,
            at.title: gr.update(value="", visible=False),
            at.description: "",
            at.number: "",
            at.marks: "",
            at.score: wording.score_line(self._words, None),
        }

    def _item(self, draft_id: int, person: Person) -> Changes:
        """One draft, ready to be decided; the buttons are off, with the reason in words, where this person may not."""
        at, words = self._at, self._words
        try:
            opened = reviewing.item(self._store, draft_id)
            hindrance = self._claimed(opened, person)
            opened = reviewing.item(self._store, draft_id)
        except DeskError as error:
            return self._nothing(wording.alarm(words.error(error)))
        text, draft, post = opened.text, opened.draft, opened.draft.post
        whole = post_text(post.title, post.description)
        texts = text.response.parts()
        with desk_errors():
            said = self._store.reviewing.kept(draft.id, text.version, person.id)
            versions = self._store.history.versions(draft.id)
        compared = [(words("compare_model"), MODEL)]
        compared += [
            (wording.version_line(words, version), str(version.version))
            for version in versions
            if version.version < text.version
        ]
        offered = reviewing.offered_reasons(self._store, words("usual_reasons").split("|"))
        may = not hindrance
        return {
            **{at.boxes[section]: part for section, part in texts.items()},
            **{button: gr.update(interactive=may) for button in at.buttons.values()},
            **at.signals.said(whole),
            **at.let_stand.shown(opened.overrides, text),
            **at.difference.shown(draft.sections, texts),
            **at.form.shown(said, offered, opened.reviews, editable=may),
            at.base: gr.update(choices=compared, value=MODEL),
            at.sheet: f"{draft.id}/{text.version}/{text.text_sha256}",
            at.status: hindrance or words(f"standing_{opened.standing}"),
            at.title: gr.update(value=post.title, visible=bool(post.title)),
            at.description: post.description,
            at.number: f"{words('item_of', id=draft.id, version=text.version)} {_mark(words, draft.state)}",
            at.marks: draft_marks(words, post.title, post.description, texts, said_of_danger(whole)),
            at.score: wording.score_line(words, text.score, edited=True),
        }

    def _claimed(self, opened: Item, person: Person) -> str:
        """Have the draft to oneself; or why one may not decide on it, in words."""
        words, draft = self._words, opened.draft
        if draft.state != "submitted":
            return words("mark_unreviewed" if draft.state == "open" else draft.state)
        try:
            reviewing.claim(self._store, draft.id, person.id)
        except DeskError as error:
            return words("own_item") if error.code == "own_review" else words.error(error)
        return ""

    def _store_said(self, shown: Sheet, person: Person, said: dict[str, Any]) -> None:
        with desk_errors():
            self._store.reviewing.keep(shown.draft_id, shown.version, person.id, said)


def _asked(request: gr.Request) -> int | None:
    """The draft that the page's address names."""
    return _draft_id(request.query_params.get("draft", ""))


def _draft_id(sheet: str) -> int | None:
    return number((sheet or "").partition("/")[0])


def _read(sheet: str) -> tuple[Sheet | None, str]:
    """Draft, version and hash of the text on screen, as the browser sent them back."""
    shown, _, sha256 = (sheet or "").rpartition("/")
    return Sheet.read(shown), sha256


def _mark(words: Words, state: State) -> str:
    kind = "approved" if state == "approved" else "unreviewed"
    return f'<span class="mark {kind}">{words("mark_" + kind)}</span>'
