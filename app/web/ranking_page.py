"""The ranking page: people rank answers blindly; who set a round up follows it, locks it and reads what it says.

The cards of the answers are made by static/ranking.js out of a hidden box. What it holds for an annotator is the texts,
in the order drawn for them, and numbers: no system's name or id, no score, length or latency.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.engine.protocol import Engine
from app.errors import DeskError
from app.people import signed
from app.ranking.answering import Answerer
from app.ranking.csv_files import figures_csv, rankings_csv
from app.ranking.figures import figures
from app.ranking.posts import posts_of
from app.ranking.report import document
from app.ranking.rounds import next_task, rank, set_up
from app.reviewing import desk_errors
from app.web import shell, wording
from app.web.ranking_layout import VIEWS, RankingLayout
from app.web.sheet import number
from app.web.words import Words
from storage.ranking_records import NewSystem, Round
from storage.records import Person
from storage.store import Store

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Changes = dict[Any, Any]


class RankingPage:
    """One language's ranking page; `blocks` is what gets mounted.

    Args:
        words: of its language.
        store: where rounds are kept.
        engine: asked for its state only.
        model_title: of the desk's model.
        answerer: drafts what rounds lack.
        models: the systems that can answer here, as the answerer opens them by name.
    """

    def __init__(
        self,
        words: Words,
        store: Store,
        engine: Engine,
        model_title: str,
        answerer: Answerer,
        models: Sequence[NewSystem],
    ):
        self._words = words
        self._store = store
        self._engine = engine
        self._model_title = model_title
        self._answerer = answerer
        self._models = {model.name: model for model in models}
        title = f"{words('page_ranking')} · {words('desk')}"
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as self.blocks:
            self._at = RankingLayout(words, list(self._models))
            self._wire()

    def _wire(self) -> None:
        at = self._at
        asked: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        task = [at.status, at.task, at.chosen, at.done, at.title, at.description, at.guidelines]
        panes = [at.post_pane, at.rank_pane, at.round_pane, at.new_pane, at.help, at.chosen, at.rounds, at.pulse]
        detail = [at.status, at.rounds, at.facts, at.setting_up, at.locking, at.leaving, at.report, at.sure]
        self.blocks.load(self._open, [at.remembered], [at.name, at.model, *task], **asked)
        at.name.blur(shell.remember, [at.name], [at.remembered], **asked).then(
            self._task, [at.name, at.chosen], task, **asked
        )
        at.chosen.input(self._task, [at.name, at.chosen], task, **asked)
        at.rank_it.click(self._rank, [at.name, at.told], task, **asked)
        at.view.input(self._show, [at.view], panes, **asked).then(
            self._follow, [at.view, at.name, at.chosen, at.rounds], list({*task, *detail}), **asked
        )
        at.rounds.input(self._round, [at.rounds], detail, **asked)
        at.pulse.tick(self._progress, [at.rounds], [at.facts], **asked)
        for button, step in ((at.draft, "draft"), (at.pause, "pause"), (at.open, "open"), (at.lock, "lock")):
            button.click(self._stepper(step), [at.name, at.rounds, at.sure], detail, **asked)
        for kind, button in at.downloads.items():
            button.click(self._downloader(kind), [at.rounds], [at.status, at.file], **asked)
        given = [at.name, at.new_name, at.new_guidelines, at.posts, at.count, at.checks, at.systems, at.people]
        at.set_up.click(self._set_up, given, [at.status], **asked)

    # Ranking

    def _open(self, name: str) -> Changes:
        model = wording.engine_chip(self._words, self._engine.status(), self._model_title)
        signed = {self._at.name: name.strip()} if (name or "").strip() else {}
        return {**signed, self._at.model: model, **self._task(name, None)}

    def _task(self, name: str, chosen: str | None) -> Changes:
        """What this person is to rank next: of the chosen round, or of the first that waits for them."""
        try:
            person = signed(self._store, name)
            with desk_errors():
                waiting = self._store.ranking.rounds_of(person.id)
            found = next((one for one in waiting if str(one.id) == chosen), waiting[0] if waiting else None)
            return self._following(person, waiting, found, self._words("ranking_hint"))
        except DeskError as error:
            said = self._words("ranking_sign") if error.code == "name_missing" else self._alarm(error)
            return {**self._nothing([], None), self._at.status: said}

    def _rank(self, name: str, told: str) -> Changes:
        """The script tells how an item was ranked; what is next comes back."""
        try:
            person = signed(self._store, name)
            item, groups, none_fits, seconds, round_id = _read(told)
            with desk_errors():
                chosen = self._store.ranking.round(round_id)
            rank(self._store, chosen, person, item, groups, none_fits=none_fits, seconds=seconds)
            with desk_errors():
                waiting = self._store.ranking.rounds_of(person.id)
            said = f"{self._words('ranking_saved')} {self._words('ranking_hint')}"
            return self._following(person, waiting, chosen, said)
        except DeskError as error:
            # The cards stay as they are: nothing that was given a place is lost.
            return {self._at.status: self._alarm(error)}

    def _following(self, person: Person, waiting: Sequence[Round], chosen: Round | None, said: str) -> Changes:
        at, words = self._at, self._words
        if chosen is None:
            return {**self._nothing(waiting, None), at.status: words("ranking_none_open")}
        task = next_task(self._store, chosen, person)
        if task is None:
            return {**self._nothing(waiting, chosen), at.status: words("ranking_all_done")}
        shown = {
            "round": chosen.id,
            "item": task.item_id,
            "answers": [
                {"name": words("ranking_answer", letter=letter), "text": text}
                for letter, text in zip(LETTERS, task.answers, strict=False)
            ],
            "places": [words("ranking_place", place=place) for place in range(1, len(task.answers) + 1)],
            "words": {key: words(f"ranking_{key}") for key in ("pause", "resume", "paused", "unplaced")},
        }
        return {
            **self._nothing(waiting, chosen),
            at.status: said,
            at.task: json.dumps(shown, ensure_ascii=False),
            at.done: words("ranking_done", done=task.done, total=task.total),
            at.title: gr.Textbox(value=task.post.title, visible=bool(task.post.title)),
            at.description: task.post.description,
            at.guidelines: gr.Textbox(value=chosen.guidelines, visible=bool(chosen.guidelines)),
        }

    def _nothing(self, waiting: Sequence[Round], chosen: Round | None) -> Changes:
        """No task open."""
        at = self._at
        choices = [(self._line(one), str(one.id)) for one in waiting]
        listed = chosen is not None and chosen in waiting
        return {
            at.chosen: gr.Radio(choices=choices, value=str(chosen.id) if chosen and listed else None),
            at.task: "",
            at.done: "",
            at.title: gr.Textbox(value="", visible=False),
            at.description: "",
            at.guidelines: gr.Textbox(value="", visible=False),
        }

    # The rounds

    def _show(self, view: str) -> Changes:
        at = self._at
        ranks, follows, new = (view == one for one in VIEWS)
        return {
            **{part: gr.Column(visible=ranks) for part in (at.post_pane, at.rank_pane, at.help)},
            at.chosen: gr.Radio(visible=ranks),
            at.rounds: gr.Radio(visible=follows),
            at.round_pane: gr.Column(visible=follows),
            at.new_pane: gr.Column(visible=new),
            at.pulse: gr.Timer(active=follows),
        }

    def _follow(self, view: str, name: str, chosen: str | None, shown: str | None) -> Changes:
        if view == "rounds":
            return self._round(shown)
        return self._task(name, chosen) if view == "rank" else {self._at.status: ""}

    def _round(self, shown: str | None) -> Changes:
        """The list of rounds with one of them open: the one asked for, or the newest."""
        at, words = self._at, self._words
        try:
            with desk_errors():
                rounds = self._store.ranking.rounds()
            found = next((one for one in rounds if str(one.id) == shown), rounds[0] if rounds else None)
            told = figures(self._store, found.id) if found and found.state == "locked" else None
        except DeskError as error:
            return {at.status: self._alarm(error)}
        state = found.state if found else ""
        said = "" if found else words("ranking_rounds_none")
        if found and told is None:
            said = words("ranking_empty" if state == "locked" else "ranking_sealed")
        report = document(told, words, words.html_lang) if told else ""
        return {
            at.status: said,
            at.rounds: gr.Radio(
                choices=[(self._line(one), str(one.id)) for one in rounds], value=str(found.id) if found else None
            ),
            at.facts: self._facts(found) if found else "",
            at.setting_up: gr.Row(visible=state == "setup"),
            at.locking: gr.Row(visible=state == "open"),
            at.leaving: gr.Row(visible=bool(report)),
            at.report: report,
            at.sure: False,
        }

    def _progress(self, shown: str | None) -> Any:
        round_id = number(shown or "")
        try:
            with desk_errors():
                return gr.skip() if round_id is None else self._facts(self._store.ranking.round(round_id))
        except DeskError:
            return gr.skip()

    def _facts(self, found: Round) -> str:
        """How far a round is, as plain text."""
        words = self._words
        with desk_errors():
            progress = self._store.ranking.progress(found.id)
        lines = [f"{found.name} · {words(f'ranking_state_{found.state}')}"]
        if found.state == "setup":
            answers = words("ranking_progress_answers", answers=progress.answers, wanted=progress.wanted)
            now = self._answerer.state(found.id)
            reason = words.error(now.error) if now.error else ""
            lines.append(f"{answers} · {words(f'ranking_drafting_{now.state}', reason=reason)}")
        else:
            lines += [
                words("ranking_progress_person", name=person.name, done=done, total=progress.items)
                for person, done in progress.ranked.items()
            ]
        return "\n".join(lines)

    def _stepper(self, step: str) -> Any:
        def taken(name: str, shown: str | None, sure: bool) -> Changes:
            """A round is drafted for, held, opened or locked."""
            try:
                person = signed(self._store, name)
                with desk_errors():
                    chosen = self._store.ranking.round(number(shown or "") or 0)
                    if step == "draft":
                        self._answerer.start(chosen)
                    elif step == "pause":
                        self._answerer.pause(chosen.id)
                    elif step == "open":
                        self._store.ranking.open(chosen.id, person.id)
                    elif sure:
                        self._store.ranking.lock(chosen.id, person.id)
                    else:
                        return {self._at.status: wording.alarm(self._words("ranking_lock_sure"))}
            except DeskError as error:
                return {self._at.status: self._alarm(error)}
            return self._round(shown)

        return taken

    def _downloader(self, kind: str) -> Any:
        def asked(shown: str | None) -> Changes:
            """A locked round as a file, which the script lets the browser save: nothing is written here."""
            words = self._words
            round_id = number(shown or "") or 0
            try:
                told = figures(self._store, round_id)
            except DeskError as error:
                return {self._at.status: self._alarm(error)}
            if told is None:
                return {self._at.status: words("ranking_empty")}
            if kind == "report":
                name, mime, text = f"ranking-{round_id}.html", "text/html", document(told, words, words.html_lang)
            else:
                made = figures_csv(told) if kind == "figures" else rankings_csv(told)
                name, mime, text = f"ranking-{round_id}-{kind}.csv", "text/csv", made.decode("utf-8")
            return {self._at.file: json.dumps({"name": name, "type": mime, "text": text}, ensure_ascii=False)}

        return asked

    # A new one

    def _set_up(
        self,
        name: str,
        called: str,
        guidelines: str,
        posts: str,
        count: float | None,
        checks: float | None,
        systems: list[str],
        people: str,
    ) -> str:
        try:
            made = set_up(
                self._store,
                signed(self._store, name),
                called or "",
                guidelines or "",
                posts=posts_of(posts or ""),
                count=max(1, int(count or 0)),
                models=[self._models[system] for system in systems or () if system in self._models],
                annotators=[line for line in (people or "").splitlines() if line.strip()],
                checks=max(0, int(checks or 0)),
            )
        except DeskError as error:
            return self._alarm(error)
        return self._words("ranking_made", id=made.id)

    def _line(self, one: Round) -> str:
        words = self._words
        state, day = words(f"ranking_state_{one.state}"), wording.clock(words, one.created_at)
        return words("ranking_round_line", name=one.name, state=state, day=day)

    def _alarm(self, error: DeskError) -> str:
        return wording.alarm(self._words.error(error))


def _read(told: str) -> tuple[int, list[int], bool, float, int]:
    """Item, groups, none fits, seconds and round. Raises DeskError ranking_malformed."""
    try:
        values = json.loads(told)
        groups = [int(group) for group in values["groups"]]
        return int(values["item"]), groups, values["noneFits"] is True, float(values["seconds"]), int(values["round"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise DeskError("ranking_malformed") from None
