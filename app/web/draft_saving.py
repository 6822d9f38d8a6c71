"""What happens to the text of a draft once it is a person's: saving, earlier versions, submission, and its score.

Every save names the version that the boxes stand on (`Sheet`), so that nothing is overwritten unseen. A reply that
comes late, when the page has moved on, binds no box to another draft and is dropped; the page's script lets nobody move
on before a save is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.chain import SECTIONS, Response
from app.drafting import Drafter
from app.errors import DeskError
from app.people import signed
from app.reviewing import desk_errors, reopen, submit
from app.revising import revise
from app.web import wording
from app.web.draft_layout import DraftLayout
from app.web.draft_view import Changes, DraftView, one_of
from app.web.marks import reason_marks
from app.web.sheet import Sheet, number
from app.web.watching import Watching
from app.web.words import Words
from storage.records import Revision
from storage.store import Store


class DraftSaving:
    """Handlers of the drafting page; the arguments are the components named in `draft_page`."""

    def __init__(
        self, words: Words, layout: DraftLayout, view: DraftView, store: Store, drafter: Drafter, watching: Watching
    ):
        self._words = words
        self._at = layout
        self._view = view
        self._store = store
        self._drafter = drafter
        self._watching = watching

    def save(self, request: gr.Request, name: str, sheet: str, saved: str, *texts: str) -> Any:
        """保存, and what happens by itself after a pause: never changes the boxes themselves."""
        return self._saved(request, name, Sheet.standing(sheet, saved), texts)[0]

    def save_over(self, request: gr.Request, name: str, sheet: str, rival: str, *texts: str) -> Any:
        """存我的: after a conflict, on top of the version that was just shown, and of no newer one."""
        shown, beside = Sheet.read(sheet), Sheet.read(rival)
        met = shown is not None and beside is not None and shown.draft_id == beside.draft_id
        return self._saved(request, name, beside if met else None, texts)[0]

    def submit(self, request: gr.Request, name: str, sheet: str, saved: str, reason: str, *texts: str) -> Any:
        """提交审核: save, then hand exactly that text to a second person.

        `reason` is why it is handed on although something in it should be mended first.
        """
        changes, revision = self._saved(request, name, Sheet.standing(sheet, saved), texts)
        if revision is None:
            return changes
        try:
            person = signed(self._store, name)
            draft = submit(self._store, revision.draft_id, revision.version, person.id, reason or "")
            if not self._watching.shows(request, draft.id):
                return gr.skip()
            return {**self._view.written(*self._view.look(draft.id)), **self._view.recents(name, draft.id)}
        except DeskError as error:
            asked = {self._at.override: gr.update(visible=True)} if error.code == "lint_stands" else {}
            return {**changes, **asked, self._at.status: self._view.alarm(error)}

    def reopen(self, name: str, sheet: str) -> Any:
        """取回修改: the approval is taken back, and the text can be edited."""
        shown = Sheet.read(sheet)
        if shown is None:
            return gr.skip()
        try:
            draft = reopen(self._store, shown.draft_id, shown.version, signed(self._store, name).id)
            return {**self._view.written(*self._view.look(draft.id)), **self._view.recents(name, draft.id)}
        except DeskError as error:
            return {self._at.status: self._view.alarm(error)}

    def take(self, section: str) -> Callable[[str, str], Any]:
        """Put the text of another candidate into one box; the page saves it like anything that was typed."""

        def taken(chosen: str, sheet: str) -> Any:
            shown, other = Sheet.read(sheet), number(chosen)
            if shown is None or other is None:
                return gr.skip()
            try:
                beside = {one.draft_id: one for one in self._drafter.candidates(shown.draft_id)}
            except DeskError as error:
                return {self._at.status: self._view.alarm(error)}
            text = beside[other].parts.get(section, "").strip() if other in beside else ""
            return {self._at.boxes[section]: text, self._at.stamp: wording.touched()} if text else gr.skip()

        return taken

    def list_versions(self, sheet: str) -> Any:
        """版本: show the list, or put it away."""
        shown = Sheet.read(sheet)
        if shown is None:
            return gr.skip()
        try:
            return self._view.past(self._view.look(shown.draft_id)[0])
        except DeskError as error:
            return {self._at.status: self._view.alarm(error)}

    def restore(self, chosen: str, sheet: str) -> Any:
        """Put an earlier version into the boxes; the page saves it as the newest, so that none is lost."""
        shown, version = Sheet.read(sheet), number(chosen)
        if shown is None or version is None:
            return gr.skip()
        try:
            with desk_errors():
                revision = self._store.history.revision(shown.draft_id, version)
                model = self._store.draft(shown.draft_id).sections
        except DeskError as error:
            return {self._at.status: self._view.alarm(error)}
        texts = revision.response.parts() if revision else model
        boxes = {self._at.boxes[section]: texts.get(section, "") for section in SECTIONS}
        return {**boxes, self._at.stamp: wording.touched()}

    def live_score(self, sheet: str, saved: str, request: gr.Request) -> Any:
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
        if score is None or not current or not self._watching.shows(request, shown.draft_id):
            return gr.skip()
        return wording.score_line(self._words, score)

    def explain(self, sheet: str, saved: str, answer: str, request: gr.Request) -> Any:
        """为什么: what raises and lowers the score of the text on screen; on demand, for it keeps the engine busy."""
        shown = Sheet.standing(sheet, saved)
        if shown is None or not (answer or "").strip():
            return gr.skip()
        try:
            with desk_errors():
                draft = self._store.draft(shown.draft_id)
            reasons = self._drafter.explain(draft, answer)
        except DeskError as error:
            return {self._at.status: self._view.alarm(error)}
        if not self._watching.shows(request, shown.draft_id):
            return gr.skip()
        if reasons is None:
            return {self._at.status: self._words("why_not_now")}
        return {self._at.reasons: reason_marks(self._words, answer, reasons)}

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
            revision = revise(self._store, base.draft_id, base.version, signed(self._store, name), typed)
            draft, candidates = self._view.look(base.draft_id)
            marks = self._view.edited(draft, one_of(candidates, draft), revision)
        except DeskError as error:
            changes = self._refused(base, error)
            return changes if self._watching.shows(request, base.draft_id) else gr.skip(), None
        changes = {
            **marks,
            at.saved: str(Sheet(base.draft_id, revision.version)),
            at.stamp: wording.saved(words, revision.version),
            at.reasons: "",
            at.conflict: gr.update(visible=False),
            at.versions: gr.update(visible=False),
        }
        return changes if self._watching.shows(request, base.draft_id) else gr.skip(), revision

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
            changes[at.theirs] = _in_one(words, latest.response)
            changes[at.conflict] = gr.update(visible=True)
        return changes


def _in_one(words: Words, response: Response) -> str:
    return "\n\n".join(f"{words.section(section)}\n{text}" for section, text in response.parts().items())
