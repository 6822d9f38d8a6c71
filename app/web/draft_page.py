"""The drafting page: its events, and the drafts that a person asks for, follows, stops and leaves.

The browser holds which draft it shows and from which version (`Sheet`), written together with the boxes and by nothing
else. The page follows a running draft by looking at snapshots; the draft does not need the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, get_args

import gradio as gr

from app.chain import SECTIONS, post_text
from app.chain.steer import AIMED, Aim, Steer
from app.drafting import Drafter
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import clean
from app.people import signed
from app.reviewing import desk_errors
from app.web import shell, wording
from app.web.draft_layout import DraftLayout
from app.web.draft_saving import DraftSaving
from app.web.draft_view import Changes, DraftView, one_of, untold
from app.web.sheet import Sheet, number
from app.web.watching import NOTHING, Watching
from app.web.words import Words
from storage.store import Store

LOOK_EVERY_S = 0.15

UNCHANGED: Changes = gr.skip()
"""Gradio empties every output of a stream that ends without having said anything."""

Handler = Callable[..., AsyncIterator[Changes]]


class DraftPage:
    """One language's drafting page; `blocks` is what gets mounted."""

    def __init__(self, words: Words, store: Store, drafter: Drafter, engine: Engine, model_title: str):
        self._words = words
        self._store = store
        self._drafter = drafter
        self._engine = engine
        self._model_title = model_title
        self._watching = Watching()
        title = f"{words('page_draft')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._at = DraftLayout(words, drafter.most_candidates)
            self._view = DraftView(words, self._at, store, drafter, engine)
            self._wire(DraftSaving(words, self._at, self._view, store, drafter, self._watching))

    def _wire(self, saving: DraftSaving) -> None:
        at = self._at
        every = at.everything()
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        free: dict[str, Any] = {**quiet, "concurrency_limit": None}
        # A plain request and its reply, for whatever answers once: gradio's stream of events is closed and opened again
        # between any two of them, and an event that comes just then is lost.
        asked: dict[str, Any] = {**quiet, "queue": False}
        # At once and as often as asked: a save that waits would take up boxes that have changed meanwhile.
        at_once: dict[str, Any] = {**asked, "trigger_mode": "multiple"}
        opened = self.blocks.load(self._open, [at.remembered], every, **free)
        # Not a generator: the end of its stream could swallow the beginning of a draft's.
        self.blocks.load(self._engine_state, None, [at.model, at.pulse], **asked)
        at.pulse.tick(self._engine_state, None, [at.model, at.pulse], **asked)
        self.blocks.unload(self._watching.leave)
        at.name.blur(self._sign, [at.name, at.sheet], [at.remembered, at.recent, at.status], **asked)
        # As the browser sent them: what gradio remembers of a page's choices is gone when the desk starts anew.
        plain: dict[str, Any] = {"preprocess": False}
        post = [at.title, at.description, *at.masking.memory()]
        at.glance.click(self._glance, post, every, **asked, **plain)
        at.masking.replace.click(self._mask, post, every, **asked, **plain)
        at.new.click(self._clear, [at.name], every, **asked)
        at.stop.click(self._halt, [at.sheet], [at.status], **asked)
        at.signals.checks.input(at.signals.ticked, [at.signals.checks], [at.signals.release], **asked)
        at.signals.release.click(self._release, [at.name, at.sheet], every, **asked)

        def drafts(event: Callable[..., Any], handler: Any, *inputs: Any, **settings: Any) -> None:
            begun = event(handler, [at.name, at.sheet, at.count, *inputs], every, **free, **settings)
            begun.then(self._settled, [at.sheet], every, **asked)

        texts = at.texts()
        drafts(at.start.click, self._begin, at.aim, at.title, at.description)
        drafts(at.aim.input, self._redirect, at.aim, *texts)
        for section, button in at.onward.items():
            drafts(button.click, self._again(section, alone=False), *texts)
        for section, button in at.alone.items():
            drafts(button.click, self._again(section, alone=True), *texts)
        for steer, button in at.steers.items():
            drafts(button.click, self._steer(steer), *texts)
        drafts(at.parts.input, self._begin_part, at.aim, at.parts, **plain)

        edit = [at.name, at.sheet, at.saved, *texts]
        chosen = at.recent.input(self._reopen, [at.recent], every, **free, **plain)
        other = at.candidates.input(self._compare, [at.candidates], every, **free, **plain)
        stored = at.save.click(saving.save, edit, every, **at_once)
        kept = at.keep_mine.click(saving.save_over, [at.name, at.sheet, at.rival, *texts], every, **at_once)
        taken = at.take_theirs.click(self._reopen_sheet, [at.sheet], every, **free)
        handed = at.submit.click(saving.submit, [*edit[:3], at.override, *texts], every, **at_once)
        reopened = at.reopen.click(saving.reopen, [at.name, at.sheet], every, **asked)
        at.why.click(saving.explain, [at.sheet, at.saved, texts[-1]], [at.reasons, at.status], **asked)
        for section, source in at.sources.items():
            source.input(saving.take(section), [source, at.sheet], every, **asked, **plain)
        at.past.click(saving.list_versions, [at.sheet], every, **asked)
        at.versions.input(saving.restore, [at.versions, at.sheet], every, **asked, **plain)
        for event in (opened, chosen, other, stored, kept, taken, handed, reopened):
            event.then(saving.live_score, [at.sheet, at.saved], [at.score], **at_once)

    # What a person does. Each is one event of the page; the arguments are the components named in `_wire`.

    async def _open(self, name: str, request: gr.Request) -> AsyncIterator[Changes]:
        """A page was loaded: show the draft that its address names, or the one of this person that is being written."""
        draft_id = number(request.query_params.get("draft", ""))
        if draft_id is None:
            draft_id = await asyncio.to_thread(self._running_draft_of, name)
        # A remembered name only: an empty one would wipe out what somebody quick has typed meanwhile.
        signed = {self._at.name: name.strip()} if (name or "").strip() else {}
        yield {**signed, **await asyncio.to_thread(self._view.recents, name, draft_id)}
        async for changes in self._follow(draft_id, request):
            yield changes

    def _glance(
        self, title: str, description: str, chosen: list[str], offered: str, kept: str, request: gr.Request
    ) -> Any:
        """Somebody pauses over a new post: what it says of danger, before anything is asked of a model, and what in it
        may identify somebody.

        The engine begins to read it; if it is drafted, that time is saved.
        """
        if not self._watching.is_idle(request):
            return gr.skip()
        self._drafter.read_ahead(title, description)
        return {
            **self._at.signals.said(post_text(title, description) if description.strip() else ""),
            **self._at.masking.shown(title, description, chosen, offered, kept),
        }

    def _mask(self, title: str, description: str, chosen: list[str], offered: str, kept: str) -> Changes:
        """替换所选: placeholders in the place of what identifies somebody; then the post is looked over again."""
        title, description, changes = self._at.masking.applied(title, description, chosen, offered, kept)
        self._drafter.read_ahead(title, description)
        return {**changes, self._at.title: title, self._at.description: description}

    async def _begin(
        self, name: str, sheet: str, count: str, aim: str, title: str, description: str, request: gr.Request
    ) -> AsyncIterator[Changes]:
        """起草: queue drafts of the post and follow the first."""
        shown = Sheet.read(sheet)

        def ask() -> int:
            person = signed(self._store, name)
            with desk_errors():
                previous = self._store.draft(shown.draft_id) if shown else None
            return self._drafter.start(
                person, title or "", description or "", previous, candidates=_count(count), aim=_aim(aim)
            )

        removed = clean(title or "").removed + clean(description or "").removed
        note = self._words("removed", count=removed) if removed else ""
        async for changes in self._asked(name, request, ask, note):
            yield changes

    async def _begin_part(
        self, name: str, sheet: str, count: str, aim: str, chosen: str, request: gr.Request
    ) -> AsyncIterator[Changes]:
        """One part of a post was chosen that is too long for the model."""
        shown, part = Sheet.read(sheet), _part(chosen)
        if shown is None or part is None:
            yield UNCHANGED
            return

        def ask() -> int:
            with desk_errors():
                draft = self._store.draft(shown.draft_id)
            return self._drafter.start_part(
                signed(self._store, name), draft, part, candidates=_count(count), aim=_aim(aim)
            )

        async for changes in self._asked(name, request, ask):
            yield changes

    def _again(self, section: str, *, alone: bool) -> Handler:
        """重写: one section anew, from what stands before it; what stands behind it too, or that is kept."""

        async def again(request: gr.Request, name: str, sheet: str, count: str, *texts: str) -> AsyncIterator[Changes]:
            kept = dict(zip(SECTIONS, texts, strict=True))
            for behind in SECTIONS[SECTIONS.index(section) : None if not alone else SECTIONS.index(section) + 1]:
                del kept[behind]
            async for changes in self._redraft(name, sheet, count, request, kept, only=alone):
                yield changes

        return again

    def _steer(self, steer: Steer) -> Handler:
        """更短, 更暖 …: the chain stays, its strategy gains a sentence, the answer is written anew."""

        async def steered(
            request: gr.Request, name: str, sheet: str, count: str, *texts: str
        ) -> AsyncIterator[Changes]:
            kept = dict(zip(SECTIONS, texts, strict=True))
            async for changes in self._redraft(name, sheet, count, request, kept, steer=steer):
                yield changes

        return steered

    async def _redirect(
        self, request: gr.Request, name: str, sheet: str, count: str, aim: str, *texts: str
    ) -> AsyncIterator[Changes]:
        """The counselor decides what the answer is for: the intent is set, what follows is written anew.

        Before there is a draft the choice waits for it. Where the decision is given back to the model, that writes the
        intent too.
        """
        kept = dict(zip(SECTIONS, texts, strict=True))
        kept = {section: kept[section] for section in SECTIONS[: SECTIONS.index(AIMED)]}
        async for changes in self._redraft(name, sheet, count, request, kept, aim=_aim(aim)):
            yield changes

    async def _reopen(self, chosen: str, request: gr.Request) -> AsyncIterator[Changes]:
        """A draft was chosen from the list of one's own; its [姓名1] is not that of the post before."""
        if number(chosen) is not None:
            yield self._at.masking.emptied()
        async for changes in self._follow(number(chosen), request):
            yield changes

    async def _compare(self, chosen: str, request: gr.Request) -> AsyncIterator[Changes]:
        """Another candidate of the same request was chosen."""
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
        self._watching.turn_to(request, NOTHING)
        return self._view.nothing(name)

    def _sign(self, name: str, sheet: str) -> Changes:
        """The signature is written: the browser keeps it, the list becomes that person's."""
        shown = Sheet.read(sheet)
        return {
            self._at.remembered: shell.remember(name),
            **self._view.recents(name, shown.draft_id if shown else None),
        }

    def _release(self, name: str, sheet: str) -> Any:
        """显示草稿: the checklist is done, and by whom is kept."""
        shown = Sheet.read(sheet)
        if shown is None:
            return gr.skip()
        try:
            person = signed(self._store, name)
            with desk_errors():
                post = self._store.draft(shown.draft_id).post
                self._store.release(post.id, person.id)
        except DeskError as error:
            return {self._at.status: self._view.alarm(error)}
        return self._view.signals(post)

    def _settled(self, sheet: str) -> Any:
        """What can be done with a draft that is over, said once more by a plain request.

        Gradio may lose the last message of a stream, and the page would stay as it was while the draft was written. The
        texts are left alone: somebody may be typing by now.
        """
        shown = Sheet.read(sheet)
        if shown is None:
            return gr.skip()
        try:
            draft, candidates = self._view.look(shown.draft_id)
        except DeskError as error:
            return {self._at.status: self._view.alarm(error)}
        return self._view.settled(draft) if one_of(candidates, draft).over else gr.skip()

    def _engine_state(self) -> Changes:
        """The model's state, asked for again until it is settled."""
        status = self._engine.status()
        return {
            self._at.model: wording.engine_chip(self._words, status, self._model_title),
            self._at.pulse: gr.update(active=status.state == "starting"),
        }

    # How a request is made and followed

    async def _redraft(
        self, name: str, sheet: str, count: str, request: gr.Request, kept: dict[str, str], **wanted: Any
    ) -> AsyncIterator[Changes]:
        shown = Sheet.read(sheet)
        if shown is None:
            yield UNCHANGED
            return

        def ask() -> int:
            person = signed(self._store, name)
            with desk_errors():
                draft = self._store.draft(shown.draft_id)
            return self._drafter.redraft(person, draft, kept, candidates=_count(count), **wanted)

        async for changes in self._asked(name, request, ask):
            yield changes

    async def _asked(
        self, name: str, request: gr.Request, ask: Callable[[], int], note: str = ""
    ) -> AsyncIterator[Changes]:
        try:
            draft_id = await asyncio.to_thread(ask)
        except DeskError as error:
            yield {self._at.status: self._view.alarm(error)}
            return
        yield await asyncio.to_thread(self._view.recents, name, draft_id)
        async for changes in self._follow(draft_id, request, note):
            yield changes
        yield await asyncio.to_thread(self._view.recents, name, draft_id)

    async def _follow(self, draft_id: int | None, request: gr.Request, note: str = "") -> AsyncIterator[Changes]:
        """Show a draft and, while it is being written, each of its changes; ends when the page shows another."""
        if draft_id is None:
            yield UNCHANGED
            return
        told: Changes = {}
        seen: object = None
        try:
            draft, candidates = await asyncio.to_thread(self._view.look, draft_id)
            self._watching.turn_to(request, draft_id)
            while not one_of(candidates, draft).over and self._watching.follows(request, draft_id):
                # Twenty people may wait: what nothing has happened to is not looked at again.
                if seen != (seen := (candidates, self._engine.status())):
                    shown = await asyncio.to_thread(self._view.writing, draft, candidates, note)
                    if changes := untold(told, shown):
                        yield changes
                    told = shown
                await asyncio.sleep(LOOK_EVERY_S)
                candidates = await asyncio.to_thread(self._drafter.candidates, draft_id)
            if self._watching.follows(request, draft_id):
                yield await asyncio.to_thread(lambda: self._view.written(*self._view.look(draft_id)))
        except DeskError as error:
            yield {self._at.status: self._view.alarm(error)}

    def _running_draft_of(self, name: str) -> int | None:
        try:
            with desk_errors():
                draft = self._store.latest_draft_of(signed(self._store, name).id)
        except DeskError:
            return None  # the list, asked for next, says what is wrong
        return draft.id if draft is not None and draft.status == "running" else None


def _count(sent: object) -> int:
    """How many candidates; the drafter refuses what it has no room for."""
    return number(sent) or 1


def _part(sent: object) -> tuple[int, int] | None:
    """Where a part begins and ends, as the browser sent it back."""
    first, _, second = str(sent).partition("/")
    start, end = number(first), number(second)
    return None if start is None or end is None else (start, end)


def _aim(sent: object) -> Aim | None:
    """What a browser sent for an aim; None for everything else, and where the model decides."""
    return next((aim for aim in get_args(Aim) if aim == sent), None)
