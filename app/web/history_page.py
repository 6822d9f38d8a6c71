"""The history page: every case of the desk, searched and filtered; each opens on the drafting page where it was left.

The cards are links, made by static/history.js out of the reply in a hidden box: so a new tab, the keyboard and a screen
reader work as with any link, and text of people stays text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, get_args

import gradio as gr

from app.engine.protocol import Engine
from app.errors import DeskError
from app.intake import clean
from app.people import signed
from app.reviewing import desk_errors
from app.web import shell, wording
from app.web.draft_layout import text_box
from app.web.paths import path
from app.web.sheet import number
from app.web.words import Words
from storage.records import Case, State
from storage.store import Store

PAGE = 50
MAX_SEARCH_CHARS = 100
STATES: tuple[State, ...] = get_args(State)
DAYS = {"when_today": 1, "when_week": 7, "when_month": 30}
"""How many days, today the last of them, each choice reaches back."""

Changes = dict[Any, Any]


class HistoryPage:
    """One language's history page; `blocks` is what gets mounted."""

    def __init__(self, words: Words, store: Store, engine: Engine, model_title: str):
        self._words = words
        self._store = store
        self._engine = engine
        self._model_title = model_title
        title = f"{words('page_history')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._model, self._name, self._remembered = shell.top_bar(words, "history")
            self._status = gr.Markdown(words("history_hint"), elem_id="status")
            # What was found, for the script; and up to which post it is listed, and how many: there the next page
            # begins.
            self._found = gr.Textbox(visible="hidden", elem_id="found")
            self._place = gr.Textbox(visible="hidden", elem_id="place")
            with gr.Row(elem_id="columns", elem_classes="history"):
                self._lay_out()
            self._wire()

    def _lay_out(self) -> None:
        words = self._words
        with gr.Column(elem_classes="pane", scale=2, min_width=240, elem_id="search-pane"):
            gr.Markdown(wording.heading(words("search")))
            self._search = text_box(
                "search", words("search"), lines=1, placeholder=words("search_hint"), interactive=True,
                max_length=MAX_SEARCH_CHARS,
            )  # fmt: skip
            # The script presses it, after a pause of typing or on Enter.
            self._look = gr.Button(words("search"), visible="hidden", elem_id="look")
            states = [(words("state_any"), "any"), *((words(f"state_{state}"), state) for state in STATES)]
            self._state = _choice(words("filter_state"), states, "filter-state")
            whose = [(words(key), key) for key in ("whose_everyone", "whose_mine")]
            self._whose = _choice(words("filter_whose"), whose, "filter-whose")
            when = [(words(key), key) for key in ("when_any", *DAYS)]
            self._when = _choice(words("filter_when"), when, "filter-when")
        with gr.Column(elem_classes="pane", scale=8, min_width=320, elem_id="cases-pane"):
            with gr.Row(elem_classes="head"):
                gr.Markdown(wording.heading(words("cases")))
                self._note = gr.Markdown(elem_classes="quiet", elem_id="cases-note")
            with gr.Column(elem_classes="scroll", elem_id="cases"):
                self._more = gr.Button(words("cases_older"), size="sm", visible=False, elem_id="older")

    def _wire(self) -> None:
        asked: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        self.blocks.load(self._open, [self._remembered], [self._name, self._model], **asked)
        self._name.blur(shell.remember, [self._name], [self._remembered], **asked)
        filters = [self._state, self._whose, self._when]
        # One event for all of it, one at a time and the last one always: no reply finds a newer one on the page.
        gr.on(
            [self.blocks.load, self._look.click, self._more.click, *(each.input for each in filters)],
            self._find,
            [self._search, *filters, self._name, self._place],
            [self._status, self._found, self._place, self._note, self._more],
            trigger_mode="always_last",
            **asked,
        )

    def _open(self, name: str) -> Changes:
        model = wording.engine_chip(self._words, self._engine.status(), self._model_title)
        signed = {self._name: name.strip()} if (name or "").strip() else {}
        return {**signed, self._model: model}

    def _find(
        self, search: str, state: str, whose: str, when: str, name: str, place: str, event: gr.EventData
    ) -> Changes:
        """The first page of what is asked for; or, by the button below it, the page behind `place`."""
        words = self._words
        # By its name: an update puts another object in a component's place.
        more = event.target is not None and event.target.elem_id == self._more.elem_id
        last, _, listed = (place or "").partition("/") if more else ("", "", "")
        before, count = number(last), number(listed) or 0
        try:
            terms = _terms(search)
            cases = self._cases(terms, state, whose, when, name, before)
        except DeskError as error:
            return {self._status: wording.alarm(words.error(error))}
        page, older = cases[:PAGE], len(cases) > PAGE
        count += len(page)
        everything = not terms and (state, whose, when) == ("any", "whose_everyone", "when_any")
        key = "cases_more" if older else "cases_count" if count else "cases_empty" if everything else "cases_none"
        found = {"terms": terms, "before": before or 0, "cases": [_card(words, case) for case in page]}
        return {
            self._status: words("history_hint"),
            self._found: json.dumps(found, ensure_ascii=False),
            self._place: f"{page[-1].post_id}/{count}" if page else "",
            self._note: words(key, count=count),
            self._more: gr.Button(visible=older),
        }

    def _cases(
        self, terms: Sequence[str], state: str, whose: str, when: str, name: str, before: int | None
    ) -> list[Case]:
        """A page, and one case more if there is a page behind it."""
        with desk_errors():
            return self._store.history.cases(
                " ".join(terms),
                state=next((each for each in STATES if each == state), None),
                author_id=signed(self._store, name).id if whose == "whose_mine" else None,
                since=_midnight(DAYS[when]) if when in DAYS else None,
                limit=PAGE + 1,
                before=before,
            )


def _choice(label: str, choices: Sequence[tuple[str, str]], elem_id: str) -> gr.Radio:
    return gr.Radio(
        choices, value=choices[0][1], label=label, container=True, elem_id=elem_id, elem_classes="cards filter"
    )


def _terms(search: str) -> list[str]:
    text = clean(search or "").text
    if len(text) > MAX_SEARCH_CHARS:
        raise DeskError("text_too_long", section="search", chars=len(text), limit=MAX_SEARCH_CHARS)
    return text.split()


def _midnight(days: int) -> datetime:
    """When, by the person's clock, the first of the last `days` days began."""
    return datetime.combine(date.today() - timedelta(days=days - 1), time()).astimezone()


def _card(words: Words, case: Case) -> dict[str, object]:
    """A case as the script shows it: plain text, but for the class and the link, which are ours."""
    mark = words(f"state_{case.state}" if case.state != "open" else f"status_{case.status}")
    facts = [f"#{case.draft_id}", wording.clock(words, case.created_at), case.author.name]
    if case.drafts > 1:
        facts.append(words("case_drafts", count=case.drafts))
    excerpt = " ".join(case.excerpt.split())
    return {
        "post": case.post_id,
        "link": f"{path(words.language, 'draft')}/?draft={case.draft_id}",
        "facts": facts,
        "mark": mark,
        "kind": case.state,
        "title": case.title or excerpt,
        "excerpt": excerpt if case.title else "",
    }
