"""The drafting page's handlers: what a person asks of the desk, and what the page then shows.

The browser holds which draft it shows and from which version (`Sheet`), so a save that was sent for one draft can never
land in another. The page follows a running draft by looking at snapshots; the draft does not need the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.chain import ANSWER_TAG, LAYERS, SECTIONS
from app.drafting import Drafter, Snapshot
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import accept_name, clean
from app.reviewing import desk_errors, submit
from app.revising import revise
from app.web import shell, wording
from app.web.draft_layout import DraftLayout
from app.web.words import Words
from storage.records import Draft, Person, Revision
from storage.store import Store

LOOK_EVERY_S = 0.15
RECENT = 12
EDITABLE = ("open", "returned", "rejected")

Changes = dict[Any, Any]
"""New values by component; what is not named stays as it is."""


@dataclass(frozen=True)
class Sheet:
    """Which draft a page shows, and which version its boxes were filled from."""

    draft_id: int
    version: int

    def __str__(self) -> str:
        return f"{self.draft_id}/{self.version}"

    @classmethod
    def read(cls, text: object) -> Sheet | None:
        """What the browser sent back; None for a page without a draft."""
        draft_id, _, version = str(text or "").partition("/")
        return cls(int(draft_id), int(version)) if draft_id.isdecimal() and version.isdecimal() else None


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
        title = f"{words('page_draft')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._at = DraftLayout(words)
            self._wire()

    def _wire(self) -> None:
        at = self._at
        every = at.everything()
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        free: dict[str, Any] = {**quiet, "concurrency_limit": None}
        texts = [at.boxes[name] for name in SECTIONS]
        self.blocks.load(self._open, [at.remembered], every, **free)
        self.blocks.load(self._watch_engine, None, [at.model], **free)
        self.blocks.unload(self._leave)
        at.start.click(self._begin, [at.name, at.title, at.description, at.sheet], every, **free)
        at.recent.input(self._reopen, [at.recent, at.name], every, **free)
        at.new.click(self._clear, [at.name], every, **free)
        at.stop.click(self._halt, [at.sheet], [at.status], queue=False, **quiet)
        at.name.blur(self._sign, [at.name, at.sheet], [at.remembered, at.recent], **free)
        edit = [at.name, at.sheet, *texts]
        at.save.click(self._save, edit, every, trigger_mode="always_last", **free)
        at.keep_mine.click(self._save_over, edit, every, **free)
        at.take_theirs.click(self._reopen_sheet, [at.sheet, at.name], every, **free)
        at.submit.click(self._submit, edit, every, **free)

    # What a person does. Each is one event of the page; the arguments are the components named in `_wire`.

    async def _open(self, name: str, request: gr.Request) -> AsyncIterator[Changes]:
        """A page was loaded: show the draft that its address names, or the one of this person that is being written."""
        asked = request.query_params.get("draft", "")
        draft_id = int(asked) if asked.isdecimal() else await asyncio.to_thread(self._running_draft_of, name)
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

    async def _reopen(self, chosen: str, name: str, request: gr.Request) -> AsyncIterator[Changes]:
        """A draft was chosen from the list."""
        async for changes in self._follow(int(chosen), request):
            yield changes

    async def _reopen_sheet(self, sheet: str, name: str, request: gr.Request) -> AsyncIterator[Changes]:
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
        self._watched.pop(request.session_hash, None)
        at, words = self._at, self._words
        heads = {at.layer_heads[layer.tag]: wording.layer_heading(words, layer, "waiting") for layer in LAYERS}
        boxes = {box: gr.Textbox(value="", interactive=False) for box in at.boxes.values()}
        return {
            **heads,
            **boxes,
            at.sheet: "",
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
            **self._recents(name, None),
        }

    def _sign(self, name: str, sheet: str) -> Changes:
        """The signature is written: the browser keeps it, the list becomes that person's."""
        shown = Sheet.read(sheet)
        return {self._at.remembered: shell.remember(name), **self._recents(name, shown.draft_id if shown else None)}

    def _save(self, name: str, sheet: str, *texts: str) -> Changes:
        """保存, and what happens by itself after a pause: never changes the boxes themselves."""
        return self._saved(name, Sheet.read(sheet), texts)[0]

    def _save_over(self, name: str, sheet: str, *texts: str) -> Changes:
        """存我的: after a conflict, on top of the version that was just shown."""
        shown = Sheet.read(sheet)
        latest = self._store.latest_revision(shown.draft_id) if shown else None
        if shown is None or latest is None:
            return {self._at.status: self._words("lost")}
        return self._saved(name, Sheet(shown.draft_id, latest.version), texts)[0]

    def _submit(self, name: str, sheet: str, *texts: str) -> Changes:
        """提交审核: save, then hand exactly that text to a second person."""
        changes, revision = self._saved(name, Sheet.read(sheet), texts)
        if revision is None:
            return changes
        try:
            draft = submit(self._store, revision.draft_id, revision.version, revision.person.id)
        except DeskError as error:
            return {**changes, self._at.status: self._alarm(error)}
        return {**self._shown(draft, self._drafter.snapshot(draft.id)), **self._recents(name, draft.id)}

    def _leave(self, request: gr.Request) -> None:
        self._watched.pop(request.session_hash, None)

    # What the page shows

    async def _watch_engine(self) -> AsyncIterator[str]:
        """The model's state, until it is settled."""
        while (status := self._engine.status()).state == "starting":
            yield wording.engine_chip(self._words, status, self._model_title)
            await asyncio.sleep(LOOK_EVERY_S)
        yield wording.engine_chip(self._words, status, self._model_title)

    async def _follow(self, draft_id: int | None, request: gr.Request, note: str = "") -> AsyncIterator[Changes]:
        """Show a draft and, while it is being written, each of its changes; ends when the page shows another."""
        if draft_id is None:
            return
        self._watched[request.session_hash] = draft_id
        sent: Changes = {}
        try:
            draft, now = await asyncio.to_thread(self._look, draft_id)
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
                yield self._shown(draft, now)
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
            at.sheet: str(Sheet(draft.id, 0)),
            at.title: gr.Textbox(value=draft.post.title, interactive=False),
            at.description: gr.Textbox(value=draft.post.description, interactive=False),
            at.number: words("draft_number", id=draft.id),
            **self._marked("unreviewed"),
            at.score: wording.score_line(words, None),
            at.stamp: "",
            at.reason: gr.Textbox(value="", visible=False),
            at.conflict: gr.Column(visible=False),
            **self._buttons(running=True, editable=False),
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
        revision = self._store.latest_revision(draft.id)
        texts = revision.response.parts() if revision else now.parts
        editable = draft.state in EDITABLE
        reviews = self._store.reviews(draft.id) if draft.state in ("returned", "rejected") else []
        return {
            **self._progress(draft, now),
            **self._edited(now, revision),
            **{box: gr.Textbox(value=texts.get(name, ""), interactive=editable) for name, box in at.boxes.items()},
            **self._buttons(running=False, editable=editable),
            at.status: wording.outcome(words, draft, now),
            # What could not be written from this post may be written from a part of it.
            at.title: gr.Textbox(value=draft.post.title, interactive=now.stage != "done"),
            at.description: gr.Textbox(value=draft.post.description, interactive=now.stage != "done"),
            at.sheet: str(Sheet(draft.id, draft.version)),
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
        try:
            person = self._person(name)
            with desk_errors():
                drafts = self._store.recent_drafts(person.id, RECENT)
        except DeskError:
            drafts = []
        choices = [(wording.recent_line(self._words, draft), str(draft.id)) for draft in drafts]
        value = str(chosen) if chosen in [draft.id for draft in drafts] else None
        return {
            self._at.recent: gr.Radio(
                choices=choices, value=value, info=None if choices else self._words("recent_none")
            )
        }

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
            return None
        return draft.id if draft is not None and draft.status == "running" else None

    def _queue(self, name: str, title: str, description: str, sheet: Sheet | None) -> tuple[int, int]:
        person = self._person(name)
        with desk_errors():
            previous = self._store.draft(sheet.draft_id) if sheet else None
        draft_id = self._drafter.start(person, title or "", description or "", previous)
        return draft_id, clean(title or "").removed + clean(description or "").removed

    def _saved(self, name: str, sheet: Sheet | None, texts: tuple[str, ...]) -> tuple[Changes, Revision | None]:
        """Save the boxes; the revision is None where the store kept its own text, and the changes say why."""
        at, words = self._at, self._words
        if sheet is None:
            return {at.status: words("lost")}, None
        typed = dict(zip(SECTIONS, texts, strict=True))
        try:
            revision = revise(self._store, self._drafter, sheet.draft_id, sheet.version, self._person(name), typed)
        except DeskError as error:
            changes: Changes = {at.stamp: wording.not_saved(words, words.error(error))}
            latest = self._store.latest_revision(sheet.draft_id) if error.code == "stale_revision" else None
            if latest is not None:
                changes[at.conflict_note] = words("conflict", latest=latest.version)
                changes[at.theirs] = "\n\n".join(
                    f"{words.section(section)}\n{text}" for section, text in latest.response.parts().items()
                )
                changes[at.conflict] = gr.Column(visible=True)
            return changes, None
        return {
            **self._edited(self._drafter.snapshot(sheet.draft_id), revision),
            at.sheet: str(Sheet(sheet.draft_id, revision.version)),
            at.stamp: wording.saved(words, revision.version),
            at.conflict: gr.Column(visible=False),
        }, revision
