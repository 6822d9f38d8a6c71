"""What all pages share: the theme, the head, the bar at the top, and how a gradio page is mounted."""

from __future__ import annotations

import html
import json

import gradio as gr
from fastapi import FastAPI

from app.chain import SECTIONS
from app.intake import MAX_POST_CHARS, MAX_SECTION_CHARS
from app.web.paths import PAGES, path
from app.web.words import Language, Words

# Fonts that the reader's system has; nothing is fetched.
_FONT = ("system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")


def theme() -> gr.themes.Base:
    """Gradio's plainest theme in our colours; the rest stands in desk.css."""
    return gr.themes.Base(font=_FONT, font_mono=("ui-monospace", "monospace"), text_size="md").set(
        body_background_fill="#f6f2ea",
        body_text_color="#2b2a27",
        body_text_color_subdued="#6b665c",
        background_fill_primary="#fdfbf7",
        background_fill_secondary="#f6f2ea",
        block_background_fill="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_text_color="#6b665c",
        border_color_primary="#ddd5c6",
        border_color_accent="#2f6657",
        color_accent="#2f6657",
        color_accent_soft="#e4ece6",
        input_background_fill="#fdfbf7",
        input_background_fill_focus="#fffefb",
        input_border_color="#ddd5c6",
        input_border_color_focus="#2f6657",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        input_placeholder_color="#767063",
        button_primary_background_fill="#2f6657",
        button_primary_background_fill_hover="#27564a",
        button_primary_text_color="#ffffff",
        button_primary_border_color="#2f6657",
        button_secondary_background_fill="#fdfbf7",
        button_secondary_background_fill_hover="#f0eadf",
        button_secondary_text_color="#2b2a27",
        button_secondary_border_color="#cfc6b5",
        button_border_width="1px",
        layout_gap="12px",
    )


def head(words: Words) -> str:
    """Our style sheet, our script, and the few words that the script shows."""
    keys = (
        "copied", "post_chars", "post_limit", "unsaved", "leave_unsaved", "desk_unreachable", "too_large", "lost",
        "hint_onward", "hint_alone", "keys", "close", "key_start", "key_stop", "key_save", "key_approve", "key_layer",
        "key_answer", "key_candidate", "key_sheet", "key_decide", "key_undo", "key_comment", "key_sentence",
        "comments_none", "comment_on", "comment_text", "comment_add", "comment_drop", "comment_whole",
    )  # fmt: skip
    codes = ("internal", "post_too_long_chars", "text_too_long")
    facts = {
        "lang": words.html_lang,
        "limit": MAX_POST_CHARS,
        "sectionLimit": MAX_SECTION_CHARS,
        "sections": {name: words.section(name) for name in SECTIONS},
        "words": {key: words.text[key] for key in keys},
        "errors": {code: words.errors[code] for code in codes},
    }
    return (
        '<meta name="color-scheme" content="light">'
        '<link rel="icon" href="/static/desk.svg">'
        '<link rel="stylesheet" href="/static/desk.css">'
        '<link rel="stylesheet" href="/static/marks.css">'
        '<link rel="stylesheet" href="/static/ranking.css">'
        '<link rel="stylesheet" href="/static/review.css">'
        f'<meta name="desk" content="{html.escape(json.dumps(facts, ensure_ascii=False))}">'
        '<script src="/static/desk.js"></script>'
        '<script src="/static/keys.js"></script>'
        '<script type="module" src="/static/marks.js"></script>'
        '<script src="/static/history.js"></script>'
        '<script src="/static/ranking.js"></script>'
        '<script src="/static/review.js"></script>'
    )


def top_bar(words: Words, here: str) -> tuple[gr.Markdown, gr.Textbox, gr.BrowserState]:
    """Title, links, model state and signature.

    Returns:
        The model's state, the name field, and the browser's memory of the name: the only thing it is given to keep.
    """
    links = " ".join(
        f'<a href="{path(words.language, page)}/"{" class=here" if page == here else ""}>{words("page_" + page)}</a>'
        for page in PAGES
    )
    other: Language = "en" if words.language == "zh" else "zh"
    links += f' <a class="language" href="{path(other, here)}/">{words("other_language")}</a>'
    with gr.Row(elem_id="top"):
        gr.Markdown(f"<h1>{words('desk')}</h1> <span>{links}</span>", elem_id="brand")
        model = gr.Markdown(elem_id="model")
        gr.Markdown(f"<span>{words('name')}</span>", elem_id="name-label")
        name = gr.Textbox(
            label=words("name"),
            show_label=False,
            container=False,
            placeholder=words("name_hint"),
            elem_id="name",
            max_lines=1,
            max_length=80,
            min_width=120,
        )
    remembered = gr.BrowserState("", storage_key="empathy-desk-name", secret="not-a-secret")
    return model, name, remembered


def remember(name: str) -> str:
    """What the browser keeps of a name; never empty, because gradio would then keep the one before."""
    return " ".join((name or "").split())[:80] or " "


def mount(app: FastAPI, page: gr.Blocks, words: Words, at: str) -> None:
    """Put a page behind its path, with everything off that gradio would offer beside it."""
    page.queue(max_size=64, default_concurrency_limit=16)
    gr.mount_gradio_app(
        app,
        page,
        path=at,
        server_name="127.0.0.1",
        run_history=False,
        footer_links=[],
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        allowed_paths=[],
        max_file_size="1mb",
        theme=theme(),
        head=head(words),
    )
