"""The data page: what is approved, what still keeps it from leaving, and the end of a case; how reviewers agree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import gradio as gr

from app import curating
from app.chain import SECTIONS, Response, post_text
from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import MAX_REASON_CHARS
from app.people import signed
from app.review_figures import Figures, figures
from app.reviewing import desk_errors
from app.web import shell, wording
from app.web.draft_layout import pills, text_box
from app.web.sheet import number
from app.web.words import Words
from storage.curation_records import Candidate, Erased, ErasureReason
from storage.records import Person
from storage.store import Store

PAGE = 200
DAYS = 90
REASONS: tuple[ErasureReason, ...] = get_args(ErasureReason)
YES, NO = "yes", "no"

Changes = dict[Any, Any]


class DataPage:
    """One language's data page; `blocks` is what gets mounted."""

    def __init__(self, words: Words, store: Store, engine: Engine, model_title: str):
        self._words = words
        self._store = store
        self._engine = engine
        self._model_title = model_title
        title = f"{words('page_data')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._model, self._name, self._remembered = shell.top_bar(words, "data")
            self._status = gr.Markdown(words("data_hint"), elem_id="status")
            with gr.Row(elem_id="columns", elem_classes="reviewing data"):
                self._lay_out()
            self._wire()

    def _lay_out(self) -> None:
        words = self._words
        with gr.Column(elem_classes="pane queue", scale=3, min_width=200, elem_id="queue-pane"):
            with gr.Row(elem_classes="head"):
                gr.Markdown(wording.heading(words("data_list")))
                self._refresh = gr.Button(words("refresh"), size="sm", min_width=60, scale=0, elem_id="refresh")
            self._count = gr.Markdown(elem_classes="quiet", elem_id="queue-note")
            self._list = gr.Radio(
                [], label=words("data_text"), show_label=False, container=False, elem_id="queue", elem_classes="cards"
            )
        with gr.Column(elem_classes="pane", scale=5, min_width=240, elem_id="post-pane"):
            gr.Markdown(wording.heading(words("post")))
            self._post = text_box("description", words("post"), classes="box grow", lines=1, max_lines=2000)
        with gr.Column(elem_classes="pane", scale=5, min_width=240, elem_id="chain-pane"):
            gr.Markdown(wording.heading(words("data_text")))
            self._text = text_box("approved", words("data_text"), classes="box grow", lines=1, max_lines=2000)
            gr.Markdown(wording.heading(words("data_model")))
            self._draft = text_box("model", words("data_model"), classes="box grow", lines=1, max_lines=2000)
        with gr.Column(elem_classes="pane", scale=5, min_width=260, elem_id="conditions-pane"):
            self._conditions()
            gr.Markdown(wording.heading(words("data_figures", days=DAYS)))
            # In a box: names are text of people.
            self._figures = text_box("figures", words("data_agreement"), classes="box grow", lines=1, max_lines=2000)

    def _conditions(self) -> None:
        words = self._words
        gr.Markdown(wording.heading(words("data_conditions")))
        self._missing = gr.Markdown(elem_id="missing")
        gr.Markdown(words("data_consent"), elem_classes="quiet")
        self._consent = pills(
            "consent", words("data_consent"), [(words("data_consent_yes"), YES), (words("data_consent_no"), NO)]
        )
        self._confirm = gr.Button(words("data_confirm"), interactive=False, elem_id="confirm")
        self._sign = gr.Button(words("data_sign"), interactive=False, visible=False, elem_id="sign")
        with gr.Accordion(words("data_case"), open=False, elem_id="case"):
            self._hold_state = text_box("held", words("data_hold"), lines=1, max_lines=4)
            self._why = text_box(
                "hold", words("data_hold_reason"), lines=1, interactive=True, placeholder=words("data_hold_reason"),
                max_length=MAX_REASON_CHARS,
            )  # fmt: skip
            with gr.Row(elem_classes="actions"):
                self._hold = gr.Button(words("data_hold"), min_width=60, elem_id="hold")
                self._release = gr.Button(words("data_release"), min_width=60, elem_id="release-hold")
            reasons = [(words(f"data_erase_{reason}"), reason) for reason in REASONS]
            self._reason = pills("erase-reason", words("data_erase_reason"), reasons, value=REASONS[0])
            self._sure = gr.Checkbox(label=words("data_erase_sure"), elem_id="erase-sure")
            self._erase = gr.Button(words("data_erase"), interactive=False, elem_id="erase")

    def _wire(self) -> None:
        # The choices of the list come with the replies, and a restart of the desk forgets which were shown.
        asked: dict[str, Any] = {
            "api_visibility": "private", "show_progress": "hidden", "queue": False, "preprocess": False,
        }  # fmt: skip
        every = [
            self._status, self._count, self._list, self._post, self._text, self._draft, self._missing, self._consent,
            self._confirm, self._sign, self._hold_state, self._why, self._sure, self._erase, self._figures,
        ]  # fmt: skip
        where = [self._name, self._list]
        self.blocks.load(self._open, [self._remembered], [self._name, self._model, *every], **asked)
        self._name.blur(shell.remember, [self._name], [self._remembered], **asked)
        self._list.input(self._show, [self._list], every, **asked)
        self._refresh.click(self._show, [self._list], every, **asked)
        self._consent.input(self._noted(self._consents), [*where, self._consent], every, **asked)
        self._confirm.click(self._noted(self._confirms), where, every, **asked)
        self._sign.click(self._noted(self._signs), where, every, **asked)
        self._hold.click(self._noted(self._holds), [*where, self._why], every, **asked)
        self._release.click(self._noted(self._releases), [*where, self._why], every, **asked)
        self._sure.input(lambda sure: gr.update(interactive=bool(sure)), [self._sure], [self._erase], **asked)
        self._erase.click(self._erased, [*where, self._reason, self._sure], every, **asked)

    # What a person does

    def _open(self, name: str) -> Changes:
        model = wording.engine_chip(self._words, self._engine.status(), self._model_title)
        signed = {self._name: name.strip()} if (name or "").strip() else {}
        return {**signed, self._model: model, **self._show(None)}

    def _show(self, chosen: str | None) -> Changes:
        """The list, and the text that is chosen on it, or the first."""
        try:
            found = curating.candidates(self._store, PAGE)
            shown = next((one for one in found if str(one.draft_id) == chosen), found[0] if found else None)
            return {**self._listed(found, shown), **(self._item(shown) if shown else self._nothing())}
        except DeskError as error:
            return {self._status: wording.alarm(self._words.error(error))}

    def _noted(self, note: Callable[..., None]) -> Callable[..., Changes]:
        """A statement of a person on the text that is chosen, and what it changes."""

        def noted(name: str, chosen: str, *values: str) -> Changes:
            try:
                note(signed(self._store, name), self._candidate(chosen), *values)
            except DeskError as error:
                return {self._status: wording.alarm(self._words.error(error))}
            return {**self._show(chosen), self._status: self._words("data_done")}

        return noted

    def _consents(self, person: Person, one: Candidate, answer: str) -> None:
        (curating.grant if answer == YES else curating.withdraw)(self._store, one.post_id, "training", person.id)

    def _confirms(self, person: Person, one: Candidate) -> None:
        curating.confirm(self._store, one.draft_id, one.version, one.text_sha256, person.id)

    def _signs(self, person: Person, one: Candidate) -> None:
        curating.sign(self._store, one.draft_id, one.version, one.text_sha256, person.id)

    def _holds(self, person: Person, one: Candidate, reason: str) -> None:
        curating.hold(self._store, one.post_id, reason or "", person.id)

    def _releases(self, person: Person, one: Candidate, reason: str) -> None:
        curating.release(self._store, one.post_id, reason or "", person.id)

    def _erased(self, name: str, chosen: str, reason: str, sure: bool) -> Changes:
        """The case is gone; what a person still has to do is said."""
        if not sure or reason not in REASONS:
            return {self._status: self._words("data_erase_sure")}
        try:
            person, one = signed(self._store, name), self._candidate(chosen)
            done = curating.erase(self._store, one.post_id, reason, person.id)
        except DeskError as error:
            return {self._status: wording.alarm(self._words.error(error))}
        return {**self._show(None), self._status: self._said(done)}

    # What the page shows

    def _listed(self, found: list[Candidate], shown: Candidate | None) -> Changes:
        words = self._words
        choices = [(self._line(one), str(one.draft_id)) for one in found]
        free = sum(not one.missing for one in found)
        return {
            self._status: words("data_hint"),
            self._count: words("data_counts", count=len(found), free=free) if found else words("data_none"),
            self._list: gr.update(choices=choices, value=str(shown.draft_id) if shown else None),
            self._figures: self._counted(figures(self._store, datetime.now(UTC) - timedelta(days=DAYS))),
        }

    def _item(self, one: Candidate) -> Changes:
        words = self._words
        with desk_errors():
            draft = self._store.draft(one.draft_id)
            text = self._store.history.revision(one.draft_id, one.version)
        said = [consent for consent in curating.consents(self._store, one.post_id) if consent.purpose == "training"]
        held = curating.holds(self._store, one.post_id)
        hold = words("data_held", reason=held[-1].reason) if held and held[-1].held else ""
        missing = [words(f"missing_{reason}") for reason in one.missing] or [words("data_free")]
        return {
            self._post: post_text(draft.post.title, draft.post.description),
            self._text: self._whole(text.response) if text else "",
            self._draft: self._whole(draft.response) if draft.response else "",
            self._missing: "\n".join(f"- {line}" for line in missing),
            self._consent: gr.update(value=(YES if said[-1].granted else NO) if said else None, interactive=True),
            self._confirm: gr.update(interactive="deidentified" in one.missing),
            self._sign: gr.update(visible=one.urgency is not None, interactive="second_signature" in one.missing),
            self._hold_state: hold,
            self._why: "",
            self._sure: False,
            self._erase: gr.update(interactive=False),
        }

    def _nothing(self) -> Changes:
        return {
            **{box: "" for box in (self._post, self._text, self._draft, self._missing, self._hold_state, self._why)},
            self._consent: gr.update(value=None, interactive=False),
            self._confirm: gr.update(interactive=False),
            self._sign: gr.update(visible=False),
            self._sure: False,
            self._erase: gr.update(interactive=False),
        }

    def _line(self, one: Candidate) -> str:
        words = self._words
        missing = " · ".join(words(f"data_lacks_{reason}") for reason in one.missing) or words("data_free")
        title = wording.short(one.title) or words("untitled")
        return words("data_line", id=one.draft_id, title=title, missing=missing)

    def _whole(self, response: Response) -> str:
        parts = response.parts()
        return "\n\n".join(f"{self._words.section(name)}\n{parts[name]}" for name in SECTIONS)

    def _counted(self, found: Figures) -> str:
        """Agreement and progress, as a list."""
        words = self._words
        lines = [words("data_agreement")]
        asked = [row for row in found.agreement if row.texts]
        for row in asked:
            alpha = words("data_alpha_unknown") if row.alpha is None else f"{row.alpha:.2f}"
            question = self._question(row.question)
            lines.append(
                words("data_alpha", question=question, alpha=alpha, texts=row.texts, judgements=row.judgements)
            )
        if not asked:
            lines.append(words("data_agreement_none"))
        for of in found.progress:
            given = of.decisions
            lines.append(
                words(
                    "data_progress",
                    reviewer=of.reviewer,
                    reviews=of.reviews,
                    approve=given.get("approve", 0),
                    back=given.get("return", 0),
                    reject=given.get("reject", 0),
                    escalate=given.get("escalate", 0),
                    hours=f"{of.waited_hours:.1f}",
                )
            )
        return "\n".join(lines)

    def _question(self, name: str) -> str:
        if name == "decision":
            return self._words("data_decision")
        return self._words.section(name) if name in SECTIONS else self._words(f"aspect_{name}")

    def _said(self, done: Erased) -> str:
        words = self._words
        lines = [words("data_erased", number=done.number)]
        if done.exports:
            lines.append(words("data_erased_exports", count=done.exports))
        if done.backups:
            lines.append(words("data_erased_backups", files=", ".join(file.name for file in done.backups)))
        if done.unreached:
            lines.append(words(f"data_erased_{done.unreached}"))
        return " ".join(lines)

    def _candidate(self, chosen: str | None) -> Candidate:
        draft_id = number(chosen or "") or 0
        for one in curating.candidates(self._store, PAGE):
            if one.draft_id == draft_id:
                return one
        raise DeskError("draft_unknown", draft_id=draft_id)
