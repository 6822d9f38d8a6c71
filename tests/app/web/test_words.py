"""Both languages say the same things, and layer titles come from the format."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import app
from app.chain import LAYERS
from app.errors import DeskError
from app.web.words import WORDS, en, zh

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ROOT = Path(app.__file__).parent.parent


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize(("ours", "theirs"), [(zh.TEXT, en.TEXT), (zh.ERRORS, en.ERRORS)], ids=["text", "errors"])
def test_both_languages_have_the_same_keys_and_placeholders(ours: dict[str, str], theirs: dict[str, str]) -> None:
    assert list(ours) == list(theirs)
    assert {key: places(text) for key, text in ours.items()} == {key: places(text) for key, text in theirs.items()}


def test_layer_titles_are_those_of_the_format() -> None:
    for words in WORDS.values():
        for layer in LAYERS:
            title = layer.zh if words.language == "zh" else layer.en
            assert words.layer(layer)[0] == title
            assert title not in words.text.values()
            assert words.section(layer.tag) == f"{layer.tag} {title}"


def test_every_error_that_is_raised_has_a_sentence() -> None:
    raised = set()
    for file in [*ROOT.glob("app/**/*.py"), *ROOT.glob("storage/**/*.py")]:
        raised |= set(re.findall(r'(?:Desk|Storage)Error\(\s*"(\w+)"', file.read_text("utf-8")))
    assert raised - set(zh.ERRORS) == set()


def test_every_sentence_is_said_somewhere() -> None:
    files = [file for file in ROOT.glob("app/**/*") if file.suffix in (".py", ".js") and file.parent.name != "words"]
    said = set(re.findall(r"""["'.](\w+)\b""", "".join(file.read_text("utf-8") for file in files)))
    # Keys that are put together from a part that varies.
    made = (
        "page_",
        "model_",
        "mark_",
        "layer_",
        "status_",
        "state_",
        "decided_",
        "score_",
        "doctor_",
        "signal_",
        "signals_",
        "check_",
        "candidate_",
        "redraft_",
        "aim_",
        "steer_",
    )
    assert [key for key in zh.TEXT if key not in said and not key.startswith(made)] == []


def test_an_error_whose_values_were_lost_still_makes_a_sentence() -> None:
    for words in WORDS.values():
        for code in words.errors:
            assert "{" not in words.error(DeskError(code))
        assert words.error(DeskError("no_such_code")) == words.errors["internal"]


def test_no_page_holds_a_visible_string_of_its_own() -> None:
    for file in (ROOT / "app" / "web").glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} - docs
        assert [text for text in texts if isinstance(text, str) and re.search("[\u4e00-\u9fff]", text)] == []
