"""The drafting page's handlers: what a person asks of the desk, and what the page then shows.

The browser holds which draft it shows and from which version (`Sheet`), written together with the boxes and by nothing
else: the reply of a save tells its version apart (`saved`), so one that comes late, when the page has moved on, binds
no box to another draft. Such a reply is also dropped, and the page's script lets nobody move on before a save is
answered.
The page follows a running draft by looking at snapshots; the draft does not need the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS, SECTIONS, post_text
from app.drafting import Drafter, Snapshot
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import accept_name, clean
from app.reviewing import desk_errors, submit
from app.revising import revise
from app.web import shell, wording
from app.web.draft_layout import DraftLayout
from app.web.sheet import Sheet, number
from app.web.signal_banner import must_act
from app.web.words import Words
from storage.records import Draft, Person, Post, Revision
from storage.store import Store

LOOK_EVERY_S = 0.15
RECENT = 12
EDITABLE = ("open", "returned", "rejected")
NOTHING = 0
"""No draft has this id."""

Changes = dict[Any, Any]
"""New values by component; what is not named stays as it is."""


class DraftPage:
    """One language's drafting page; `blocks` is what gets mounted."""

    def __init__(self, words: Words, store: Store, drafter: Drafter, engine: Engine, model_title: str):
        self._words = words
        self._store = store
        self._drafter = drafter
        self._engine = engine
        self._model_title = model_title
        self._watched: dict[str | None, int] = {}
        """The draft that each open page shows; who follows another one ends."""
        self._released: set[int] = set()
        """Posts that need a person at once, and of which somebody has gone through the checklist since the start."""
        title = f"{words('page_draft')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._at = DraftLayout(words)
            self._wire()

    def _wire(self) -> None:
        at = self._at
        every = at.everything()
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        free: dict[str, Any] = {**quiet, "concurrency_limit": None}
        # A plain request and its reply, for whatever answers once: gradio's stream of events is closed and opened again
        # between any two of them, and an event that comes just then is lost.
        asked: dict[str, Any] = {**quiet, "queue": False}
        texts = [at.boxes[name] for name in SECTIONS]
        opened = self.blocks.load(self._open, [at.remembered], every, **free)
        # Not a generator: the end of its stream could swallow the beginning of a draft's.
        self.blocks.load(self._engine_state, None, [at.model, at.pulse], **asked)
        at.pulse.tick(self._engine_state, None, [at.model, at.pulse], **asked)
        self.blocks.unload(self._leave)
        begun = at.start.click(self._begin, [at.name, at.title, at.description, at.sheet], every, **free)
        begun.then(self._settled, [at.sheet], every, **asked)
        chosen = at.recent.input(self._reopen, [at.recent], every, **free)
        at.new.click(self._clear, [at.name], every, **asked)
        at.stop.click(self._halt, [at.sheet], [at.status], **asked)
        at.signals.checks.input(at.signals.ticked, [at.signals.checks], [at.signals.release], **asked)
        at.signals.release.click(self._release, [at.sheet], every, **asked)
        at.name.blur(self._sign, [at.name, at.sheet], [at.remembered, at.recent, at.status], **asked)
        edit = [at.name, at.sheet, at.saved, *texts]
        # At once and as often as asked: a save that waits would take up boxes that have changed meanwhile.
        at_once: dict[str, Any] = {**asked, "trigger_mode": "multiple"}
        stored = at.save.click(self._save, edit, every, **at_once)
        kept = at.keep_mine.click(self._save_over, [at.name, at.sheet, at.rival, *texts], every, **at_once)
        taken = at.take_theirs.click(self._reopen_sheet, [at.sheet], every, **free)
        handed = at.submit.click(self._submit, edit, every, **at_once)
        for event in (opened, chosen, stored, kept, taken, handed):
            event.then(self._live_score, [at.sheet, at.saved], [at.score], **at_once)

    # What a person does. Each is one event of the page; the arguments are the components named in `_wire`.

    async def _open(self, name: str, request: gr.Request) -> AsyncIterator[Changes]:
        """A page was loaded: show the draft that its address names, or the one of this person that is being written."""
        draft_id = number(request.query_params.get("draft", ""))
        if draft_id is None:
            draft_id = await asyncio.to_thread(self._running_draft_of, name)
        # A remembered name only: an empty one would wipe out what somebody quick has typed meanwhile.
        signed = {self._at.name: name.strip()} if (name or "").strip() else {}
        yield {**signed, **await asyncio.to_thread(self._recents, name, draft_id)}
        async for changes in self._follow(draft_id, request):
            yield changes

    async def _begin(
        self, name: str, title: str, description: str, sheet: str, request: gr.Request
    ) -> AsyncIterator[Changes]:
        """起草: queue a draft of the post and follow it."""
        try:
            draft_id, removed = await asyncio.to_thread(self._queue, name, title, description, Sheet.read(sheet))
        except DeskError as error:
            yield {self._at.status: self._alarm(error)}
            return
        yield await asyncio.to_thread(self._recents, name, draft_id)
        async for changes in self._follow(draft_id, request, self._words("removed", count=removed) if removed else ""):
            yield changes
        yield await asyncio.to_thread(self._recents, name, draft_id)

    def _settled(self, sheet: str) -> Any:
        """What can be done with a draft that is over, said once more by a plain request.

        Gradio may lose the last message of a stream, and the page would stay as it was while the draft was written. The
        texts are left alone: somebody may be typing by now.
        """
        shown = Sheet.read(sheet)
        if shown is None:
            return gr.skip()
        try:
            draft, now = self._look(shown.draft_id)
        except DeskError as error:
            return {self._at.status: self._alarm(error)}
        if not now.over:
            return gr.skip()
        editable = draft.state in EDITABLE
        boxes = {box: gr.Textbox(interactive=editable) for box in self._at.boxes.values()}
        return {**boxes, **self._buttons(running=False, editable=editable)}

    async def _reopen(self, chosen: str, request: gr.Request) -> AsyncIterator[Changes]:
        """A draft was chosen from the list."""
        async for changes in self._follow(number(chosen), request):
            yield changes

    async def _reopen_sheet(self, sheet: str, request: gr.Request) -> AsyncIterator[Changes]:
        """用对方的: drop what stands in the boxes for what is stored."""
        shown = Sheet.read(sheet)
        async for changes in self._follow(shown.draft_id if shown else None, request):
            yield changes

    def _halt(self, sheet: str) -> str:
        """停止: answered at once; the follower shows the rest when the engine has ended."""
        shown = Sheet.read(sheet)
        if shown is not None:
            self._drafter.stop(shown.draft_id)
        return self._words("stopping")

    def _clear(self, name: str, request: gr.Request) -> Changes:
        """新来信: an empty page. What ran keeps running and stands in the list."""
        self._watched[request.session_hash] = NOTHING
        at, words = self._at, self._words
        heads = {at.layer_heads[layer.tag]: wording.layer_heading(words, layer, "waiting") for layer in LAYERS}
        boxes = {box: gr.Textbox(value="", interactive=False) for box in at.boxes.values()}
        return {
            **heads,
            **boxes,
            **self._bound(None),
            at.number: "",
            at.stamp: "",
            at.status: words("idle"),
            at.title: gr.Textbox(value="", interactive=True),
            at.description: gr.Textbox(value="", interactive=True),
            at.answer_head: wording.heading(words("answer")),
            at.score: wording.score_line(words, None),
            at.reason: gr.Textbox(value="", visible=False),
            at.conflict: gr.Column(visible=False),
            at.chain_head: wording.heading(words("chain")),
            **self._buttons(running=False, editable=False, fresh=True),
            **self._warned(None),
            **self._recents(name, None),
        }

    def _sign(self, name: str, sheet: str) -> Changes:
        """The signature is written: the browser keeps it, the list becomes that person's."""
        shown = Sheet.read(sheet)
        return {self._at.remembered: shell.remember(name), **self._recents(name, shown.draft_id if shown else None)}

    def _release(self, sheet: str) -> Any:
        """显示草稿: the checklist is done."""
        shown = Sheet.read(sheet)
        if shown is None:
            return gr.skip()
        with desk_errors():
            post = self._store.draft(shown.draft_id).post
        self._released.add(post.id)
        return self._warned(post)

    def _save(self, request: gr.Request, name: str, sheet: str, saved: str, *texts: str) -> Any:
        """保存, and what happens by itself after a pause: never changes the boxes themselves."""
        return self._saved(request, name, Sheet.standing(sheet, saved), texts)[0]

    def _save_over(self, request: gr.Request, name: str, sheet: str, rival: str, *texts: str) -> Any:
        """存我的: after a conflict, on top of the version that was just shown, and of no newer one."""
        shown, beside = Sheet.read(sheet), Sheet.read(rival)
        met = shown is not None and beside is not None and shown.draft_id == beside.draft_id
        return self._saved(request, name, beside if met else None, texts)[0]

    def _submit(self, request: gr.Request, name: str, sheet: str, saved: str, *texts: str) -> Any:
        """提交审核: save, then hand exactly that text to a second person."""
        changes, revision = self._saved(request, name, Sheet.standing(sheet, saved), texts)
        if revision is None:
            return changes
        try:
            draft = submit(self._store, revision.draft_id, revision.version, self._person(name).id)
            if not self._shows(request, draft.id):
                return gr.skip()
            return {**self._shown(draft, self._drafter.snapshot(draft.id)), **self._recents(name, draft.id)}
        except DeskError as error:
            return {**changes, self._at.status: self._alarm(error)}

    def _live_score(self, sheet: str, saved: str, request: gr.Request) -> Any:
        """The score of the text on screen where none is stored; an event of its own, so that no save waits for it."""
        shown = Sheet.standing(sheet, saved)
        if shown is None:
            return gr.skip()
        try:
            with desk_errors():
                draft, revision = self._store.draft(shown.draft_id), self._store.latest_revision(shown.draft_id)
                if revision is None or revision.version != shown.version or revision.score is not None:
                    return gr.skip()
                score = self._drafter.score(draft, revision.response)
                current = self._store.draft(shown.draft_id).version == shown.version
        except DeskError:
            return gr.skip()
        if score is None or not current or not self._shows(request, shown.draft_id):
            return gr.skip()
        return wording.score_line(self._words, score)

    def _shows(self, request: gr.Request, draft_id: int) -> bool:
        """Whether the page still shows that draft; a page from before a restart is taken at its word."""
        return self._watched.get(request.session_hash, draft_id) == draft_id

    def _leave(self, request: gr.Request) -> None:
        self._watched.pop(request.session_hash, None)

    # What the page shows

    def _engine_state(self) -> Changes:
        """The model's state, asked for again until it is settled."""
        status = self._engine.status()
        return {
            self._at.model: wording.engine_chip(self._words, status, self._model_title),
            self._at.pulse: gr.Timer(active=status.state == "starting"),
        }

    async def _follow(self, draft_id: int | None, request: gr.Request, note: str = "") -> AsyncIterator[Changes]:
        """Show a draft and, while it is being written, each of its changes; ends when the page shows another."""
        if draft_id is None:
            return
        sent: Changes = {}
        try:
            draft, now = await asyncio.to_thread(self._look, draft_id)
            self._watched[request.session_hash] = draft_id
            while not now.over and self._watched.get(request.session_hash) == draft_id:
                shown = {**self._progress(draft, now), self._at.status: self._status(now, note)}
                changed = {part: value for part, value in shown.items() if sent.get(part) != value}
                sent = shown
                if changed:
                    yield changed
                await asyncio.sleep(LOOK_EVERY_S)
                now = await asyncio.to_thread(self._drafter.snapshot, draft_id)
            if self._watched.get(request.session_hash) == draft_id:
                draft, now = await asyncio.to_thread(self._look, draft_id)
                yield await asyncio.to_thread(self._shown, draft, now)
        except DeskError as error:
            yield {self._at.status: self._alarm(error)}

    def _look(self, draft_id: int) -> tuple[Draft, Snapshot]:
        now = self._drafter.snapshot(draft_id)
        with desk_errors():
            return self._store.draft(draft_id), now

    def _progress(self, draft: Draft, now: Snapshot) -> Changes:
        """A draft that is being written."""
        at, words = self._at, self._words
        shown: Changes = {
            **self._bound(Sheet(draft.id, 0)),
            at.title: gr.Textbox(value=draft.post.title, interactive=False),
            at.description: gr.Textbox(value=draft.post.description, interactive=False),
            at.number: words("draft_number", id=draft.id),
            **self._marked("unreviewed"),
            at.score: wording.score_line(words, None),
            at.stamp: "",
            at.reason: gr.Textbox(value="", visible=False),
            at.conflict: gr.Column(visible=False),
            **self._buttons(running=True, editable=False),
            **self._warned(draft.post),
        }
        for layer in LAYERS:
            state = wording.layer_state(now, layer.tag, None)
            shown[at.layer_heads[layer.tag]] = wording.layer_heading(words, layer, state)
        for name, box in at.boxes.items():
            shown[box] = gr.Textbox(value=now.parts.get(name, ""), interactive=False)
        return shown

    def _shown(self, draft: Draft, now: Snapshot) -> Changes:
        """A draft that is over, with the person's text where there is one."""
        at, words = self._at, self._words
        with desk_errors():
            revision = self._store.latest_revision(draft.id)
            reviews = self._store.reviews(draft.id) if draft.state in ("returned", "rejected") else []
        texts = revision.response.parts() if revision else now.parts
        editable = draft.state in EDITABLE
        return {
            **self._progress(draft, now),
            **self._edited(now, revision),
            **{box: gr.Textbox(value=texts.get(name, ""), interactive=editable) for name, box in at.boxes.items()},
            **self._buttons(running=False, editable=editable),
            at.status: wording.outcome(words, draft, now),
            # What could not be written from this post may be written from a part of it.
            at.title: gr.Textbox(value=draft.post.title, interactive=now.stage != "done"),
            at.description: gr.Textbox(value=draft.post.description, interactive=now.stage != "done"),
            **self._bound(Sheet(draft.id, revision.version if revision else 0)),
            **self._marked("approved" if draft.state == "approved" else "unreviewed"),
            at.stamp: wording.saved(words, revision.version, revision.created_at) if revision else "",
            at.reason: gr.Textbox(value=reviews[-1].reason if reviews else "", visible=bool(reviews)),
        }

    def _edited(self, now: Snapshot, revision: Revision | None) -> Changes:
        """The marks that tell the model's text from a person's."""
        at, words = self._at, self._words
        texts = revision.response.parts() if revision else None
        score = revision.score if revision else now.score
        rewritten = texts is not None and texts[ANSWER_TAG] != now.parts.get(ANSWER_TAG)
        heads = {
            at.layer_heads[layer.tag]: wording.layer_heading(words, layer, wording.layer_state(now, layer.tag, texts))
            for layer in LAYERS
        }
        return {**heads, at.score: wording.score_line(words, score, rewritten)}

    def _warned(self, post: Post | None) -> Changes:
        """The signals of a post; where a person must act at once, the checklist in the place of the draft."""
        at = self._at
        text = post_text(post.title, post.description) if post else ""
        held = post is not None and post.id not in self._released and must_act(text)
        return {**at.signals.shown(text, held=held), **({} if held else at.signals.asked())}

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
            at.start: gr.Button(
                value=self._words("start" if fresh else "start_again"),
                variant="primary" if fresh else "secondary",
                interactive=not running,
            ),
            at.stop: gr.Button(interactive=running),
            at.save: gr.Button(interactive=editable),
            at.submit: gr.Button(interactive=editable),
        }

    def _recents(self, name: str, chosen: int | None) -> Changes:
        """The person's own drafts; no list for who has not signed, or signed impossibly."""
        drafts: list[Draft] = []
        told: Changes = {}
        try:
            person = self._person(name)
            with desk_errors():
                drafts = self._store.recent_drafts(person.id, RECENT)
        except DeskError as error:
            if not error.code.startswith("name_"):
                told = {self._at.status: self._alarm(error)}
        choices = [(wording.recent_line(self._words, draft), str(draft.id)) for draft in drafts]
        value = str(chosen) if chosen in [draft.id for draft in drafts] else None
        info = None if choices else self._words("recent_none")
        return {**told, self._at.recent: gr.Radio(choices=choices, value=value, info=info)}

    def _status(self, now: Snapshot, note: str) -> str:
        return f"{wording.stage(self._words, now, self._engine.status())} {note}".strip()

    def _alarm(self, error: DeskError) -> str:
        return f'<span class="alarm">{self._words.error(error)}</span>'

    # What the page asks of the desk

    def _person(self, name: str) -> Person:
        with desk_errors():
            return self._store.person(accept_name(name or ""))

    def _running_draft_of(self, name: str) -> int | None:
        try:
            with desk_errors():
                draft = self._store.latest_draft_of(self._person(name).id)
        except DeskError:
            return None  # the list, asked for next, says what is wrong
        return draft.id if draft is not None and draft.status == "running" else None

    def _queue(self, name: str, title: str, description: str, sheet: Sheet | None) -> tuple[int, int]:
        person = self._person(name)
        with desk_errors():
            previous = self._store.draft(sheet.draft_id) if sheet else None
        draft_id = self._drafter.start(person, title or "", description or "", previous)
        return draft_id, clean(title or "").removed + clean(description or "").removed

    def _saved(
        self, request: gr.Request, name: str, base: Sheet | None, texts: tuple[str, ...]
    ) -> tuple[Any, Revision | None]:
        """Save the boxes on top of `base`; the revision is None where the store kept its own text.

        The changes say so; there are none if the page shows another draft by now.
        """
        at, words = self._at, self._words
        if base is None:
            return {at.stamp: wording.not_saved(words, words("lost"))}, None
        typed = dict(zip(SECTIONS, texts, strict=True))
        try:
            revision = revise(self._store, base.draft_id, base.version, self._person(name), typed)
            marks = self._edited(self._drafter.snapshot(base.draft_id), revision)
        except DeskError as error:
            changes = self._refused(base, error)
            return changes if self._shows(request, base.draft_id) else gr.skip(), None
        changes = {
            **marks,
            at.saved: str(Sheet(base.draft_id, revision.version)),
            at.stamp: wording.saved(words, revision.version),
            at.conflict: gr.Column(visible=False),
        }
        return changes if self._shows(request, base.draft_id) else gr.skip(), revision

    def _refused(self, base: Sheet, error: DeskError) -> Changes:
        """Why a text was not saved, and in a conflict the version that stands in its way."""
        at, words = self._at, self._words
        changes: Changes = {at.stamp: wording.not_saved(words, words.error(error))}
        if error.code != "stale_revision":
            return changes
        try:
            with desk_errors():
                latest = self._store.latest_revision(base.draft_id)
        except DeskError as unread:
            return {at.stamp: wording.not_saved(words, words.error(unread))}
        if latest is not None:
            changes[at.rival] = str(Sheet(base.draft_id, latest.version))
            changes[at.conflict_note] = words("conflict", latest=latest.version)
            changes[at.theirs] = "\n\n".join(
                f"{words.section(section)}\n{text}" for section, text in latest.response.parts().items()
            )
            changes[at.conflict] = gr.Column(visible=True)
        return changes
