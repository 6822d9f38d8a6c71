"""The catalogue reads cards, and refuses files that are not what their card says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.catalog import load_cards, policy_card, reward_card, verify
from app.errors import DeskError

CARD = """---
language: [zh]
license: apache-2.0
empathy_desk:
  role: {role}
  title: {{zh: 模型, en: Model}}
  file: weights.gguf
  sha256: {sha256}
  size_bytes: 4
  memory_mb: 60
  context_tokens: 512
  {more}
---

# Card
"""


def write_card(folder: Path, role: str = "policy", more: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.gguf").write_bytes(b"GGUF")
    text = CARD.format(role=role, sha256=hashlib.sha256(b"GGUF").hexdigest(), more=more)
    (folder / "README.md").write_text(text, "utf-8")
    return folder


def test_a_policy_brings_its_reward_model(tmp_path):
    write_card(tmp_path / "small", more="reward_model: judge")
    write_card(tmp_path / "judge", "reward", "threshold: 0.5\n  human_quantiles: [0.1, 0.9]")
    cards = load_cards(tmp_path)
    policy = policy_card(cards, None)
    assert policy.name == "small"
    judge = reward_card(cards, policy)
    assert judge is not None and judge.threshold == 0.5 and judge.human_quantiles == (0.1, 0.9)
    verify(policy)


def test_one_changed_byte_is_refused(tmp_path):
    folder = write_card(tmp_path / "small")
    (folder / "weights.gguf").write_bytes(b"GGUE")
    with pytest.raises(DeskError) as caught:
        verify(load_cards(tmp_path)["small"])
    assert caught.value.code == "model_changed"


def test_a_missing_file_is_named(tmp_path):
    folder = write_card(tmp_path / "small")
    (folder / "weights.gguf").unlink()
    with pytest.raises(DeskError) as caught:
        verify(load_cards(tmp_path)["small"])
    assert (caught.value.code, caught.value.values["file"]) == ("model_missing", "weights.gguf")


@pytest.mark.parametrize("text", ["# no front matter", "---\nlicense: mit\n---\n", "---\n- a list\n---\n", "---\n", ""])
def test_a_folder_without_a_card_is_passed_over(tmp_path, text):
    write_card(tmp_path / "small")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "README.md").write_text(text, "utf-8")
    assert list(load_cards(tmp_path)) == ["small"]


def test_a_byte_order_mark_hides_no_card(tmp_path):
    readme = write_card(tmp_path / "small") / "README.md"
    readme.write_text(readme.read_text("utf-8"), "utf-8-sig")
    assert list(load_cards(tmp_path)) == ["small"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("empathy_desk:", ": ["),
        ("role: policy", "roll: policy"),
        ("size_bytes: 4", "size_bytes: '4'"),
        ("memory_mb: 60", "memory_mb: true"),
        ("context_tokens: 512", "context_tokens: 0"),
        ("file: weights.gguf", "file: [weights.gguf]"),
        ("title: {zh: 模型, en: Model}", "title: {zh: 模型, en: 1}"),
        ("threshold: 0.5", "threshold: abc"),
        ("threshold: 0.5", "threshold: .nan"),
        ("[0.1, 0.9]", "[0.1, high]"),
        ("[0.1, 0.9]", "abc"),
        ("reward_model: judge", "reward_model: 7"),
    ],
)
def test_an_entry_that_lacks_a_field_or_holds_another_type_is_named(tmp_path, old, new):
    more = "threshold: 0.5\n  human_quantiles: [0.1, 0.9]\n  reward_model: judge"
    readme = write_card(tmp_path / "odd", more=more) / "README.md"
    assert load_cards(tmp_path)["odd"].human_quantiles == (0.1, 0.9)
    text = readme.read_text("utf-8")
    assert old in text
    readme.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(DeskError) as caught:
        load_cards(tmp_path)
    assert (caught.value.code, caught.value.values["model"]) == ("card_unreadable", "odd")


def test_an_unknown_model_is_refused_with_what_is_known(tmp_path):
    write_card(tmp_path / "small")
    with pytest.raises(DeskError) as caught:
        policy_card(load_cards(tmp_path), "large")
    assert caught.value.values == {"model": "large", "known": "small"}


def test_without_models_the_desk_says_so(tmp_path):
    with pytest.raises(DeskError) as caught:
        policy_card(load_cards(tmp_path), None)
    assert caught.value.code == "no_model"
