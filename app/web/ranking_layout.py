"""The components of the ranking page and where they stand. What they do is in `ranking_page` and static/ranking.js."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.intake import MAX_NAME_CHARS
from app.ranking.rounds import MAX_GUIDELINES_CHARS
from app.web import shell, wording
from app.web.draft_layout import pills, text_box
from app.web.words import Words

VIEWS = ("rank", "rounds", "new")
ASPECTS = ("fluency", "identification", "comforting", "suggestion")
MAX_POSTS = 500
MAX_CHECKS = 50


class RankingLayout:
    """Three views in one place: rank, the rounds and their results, a new round. Built inside an open `gr.Blocks`.

    Args:
        words: of the page's language.
        models: the names of the systems that can answer here.
    """

    def __init__(self, words: Words, models: Sequence[str]):
        self.model, self.name, self.remembered = shell.top_bar(words, "ranking")
        self.status = gr.Markdown(words("ranking_hint"), elem_id="status")
        # For the script: what is to be ranked, a file to be saved, a report to be shown. From it: how it was ranked.
        self.task = gr.Textbox(visible="hidden", elem_id="ranking-task")
        self.file = gr.Textbox(visible="hidden", elem_id="ranking-file")
        self.report = gr.Textbox(visible="hidden", elem_id="ranking-report")
        self.told = gr.Textbox(visible="hidden", elem_id="ranking-told")
        self.rank_it = gr.Button(words("ranking_save"), visible="hidden", elem_id="rank-it")
        self.pulse = gr.Timer(2, active=False)
        with gr.Row(elem_id="columns", elem_classes="ranking"):
            with gr.Column(elem_classes="pane", scale=3, min_width=220, elem_id="ranking-side"):
                views = [(words(f"ranking_view_{view}"), view) for view in VIEWS]
                self.view = pills("ranking-view", words("page_ranking"), views, value=VIEWS[0], interactive=True)
                self._side(words)
            with gr.Column(elem_classes="pane", scale=3, min_width=240, elem_id="post-pane") as self.post_pane:
                self._post(words)
            with gr.Column(elem_classes="pane", scale=8, min_width=320, elem_id="rank-pane") as self.rank_pane:
                self._rank(words)
            with gr.Column(
                elem_classes="pane", scale=11, min_width=320, elem_id="round-pane", visible=False
            ) as self.round_pane:
                self._round(words)
            with gr.Column(
                elem_classes="pane", scale=11, min_width=320, elem_id="new-pane", visible=False
            ) as self.new_pane:
                self._new(words, models)

    def _side(self, words: Words) -> None:
        self.chosen = _rounds("ranking-chosen", words("ranking_choose"))
        self.rounds = _rounds("ranking-rounds", words("ranking_view_rounds"), visible=False)
        with gr.Column(elem_classes="scroll", elem_id="ranking-help") as self.help:
            gr.Markdown(wording.heading(words("ranking_aspects")))
            gr.Markdown(words("ranking_task_note"), elem_classes="quiet")
            gr.Markdown("\n".join(f"- **{words(f'aspect_{key}')}** {words(f'ranking_{key}_hint')}" for key in ASPECTS))
            self.guidelines = text_box("ranking-given", words("ranking_guidelines"), visible=False, max_lines=40)

    def _post(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("post")))
            self.done = gr.Markdown(elem_classes="quiet", elem_id="ranking-done")
        self.title = text_box("title", words("post_title"), lines=1, visible=False)
        self.description = text_box("description", words("post"), classes="box grow", max_lines=2000)

    def _rank(self, words: Words) -> None:
        with gr.Row(elem_classes="head"):
            gr.Markdown(wording.heading(words("ranking_answers")))
            gr.Button(words("ranking_pause"), size="sm", elem_id="ranking-pause")
        # Filled by the script, with text alone.
        gr.Column(elem_classes="scroll", elem_id="ranking-cards")
        with gr.Row(elem_classes="actions"):
            gr.Button(words("ranking_none_fits"), elem_id="ranking-none")
            gr.Button(words("ranking_save"), variant="primary", elem_id="ranking-save")

    def _round(self, words: Words) -> None:
        self.facts = text_box("ranking-facts", words("ranking_view_rounds"), lines=1, max_lines=40)
        with gr.Row(elem_classes="actions", visible=False) as self.setting_up:
            self.draft = gr.Button(words("ranking_draft"), elem_id="ranking-draft")
            self.pause = gr.Button(words("ranking_draft_pause"), elem_id="ranking-draft-pause")
            self.open = gr.Button(words("ranking_open"), variant="primary", elem_id="ranking-open")
        with gr.Row(elem_classes="actions", visible=False) as self.locking:
            self.sure = gr.Checkbox(label=words("ranking_lock_sure"), container=False, elem_id="ranking-sure")
            self.lock = gr.Button(words("ranking_lock"), scale=0, min_width=100, elem_id="ranking-lock")
        with gr.Row(elem_classes="actions", visible=False) as self.leaving:
            self.downloads = {
                kind: gr.Button(words(f"ranking_download_{kind}"), elem_id=f"ranking-get-{kind}")
                for kind in ("report", "figures", "rankings")
            }
        # The script shows the report in a frame in which nothing runs.
        gr.Column(elem_classes="grow", elem_id="ranking-results")

    def _new(self, words: Words, models: Sequence[str]) -> None:
        typed: dict[str, Any] = {"interactive": True, "show_label": True, "container": True}
        with gr.Column(elem_classes="scroll", elem_id="ranking-new"):
            with gr.Row():
                self.new_name = text_box(
                    "ranking-name", words("ranking_new_name"), lines=1, max_length=MAX_NAME_CHARS, **typed
                )
                self.count = gr.Number(10, label=words("ranking_count"), precision=0, minimum=1, maximum=MAX_POSTS)
                self.checks = gr.Number(0, label=words("ranking_checks"), precision=0, minimum=0, maximum=MAX_CHECKS)
            self.posts = text_box(
                "ranking-posts", words("ranking_posts"), lines=7, placeholder=words("ranking_posts_hint"), **typed
            )
            gr.Button(words("ranking_posts_file"), size="sm", elem_id="ranking-read")
            gr.Markdown(words("ranking_posts_note"), elem_classes="quiet")
            self.systems = gr.CheckboxGroup(
                list(models), label=words("ranking_systems"), elem_id="ranking-systems", visible=bool(models)
            )
            with gr.Row():
                self.people = text_box("ranking-people", words("ranking_people"), lines=4, max_lines=8, **typed)
                self.new_guidelines = text_box(
                    "ranking-guidelines", words("ranking_guidelines"), lines=4, max_lines=8,
                    placeholder=words("ranking_guidelines_hint"), max_length=MAX_GUIDELINES_CHARS, **typed,
                )  # fmt: skip
        with gr.Row(elem_classes="actions"):
            self.set_up = gr.Button(words("ranking_set_up"), variant="primary", elem_id="ranking-set-up")


def _rounds(name: str, label: str, **settings: Any) -> gr.Radio:
    return gr.Radio([], label=label, container=True, elem_id=name, elem_classes="cards", **settings)
