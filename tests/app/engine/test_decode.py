"""How a section begins and ends, with models that write what the test wants; and what the model has read by then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from app.chain import TAGS, prompt_pieces
from app.engine import native
from app.engine.decode import GRACE_TOKENS, PLACEHOLDER, Writer
from app.engine.native import StopSwitch, load_model
from app.engine.protocol import Closed, Finished, Sampling, Section
from tests.app.engine.drafts import POST, parts, response_script, written
from tests.tiny_gguf import write_bigram


class RecordingWriter(Writer):
    """Keeps the ids that stand in the sequence."""

    ids: list[int] = []

    def _feed(self, ids: Sequence[int]) -> None:
        super()._feed(ids)
        self.ids = [*self.ids, *ids]

    def _roll_back(self, position: int) -> None:
        super()._roll_back(position)
        self.ids = self.ids[:position]

    def text(self) -> str:
        return b"".join(self.vocab.pieces()[token] for token in self.ids).decode("utf-8", "replace")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # This process has not been told to let idle OpenMP threads sleep, as the child is.
    monkeypatch.setattr(native, "thread_count", lambda: 1)
    yield


def writer_of(path: Path) -> RecordingWriter:
    return RecordingWriter(load_model(path, lambda: None), path.name, 4096, StopSwitch())


def write_one(tmp_path: Path, successors: Mapping[bytes, bytes], max_tokens: int = 6) -> tuple[str, bool, int]:
    """Text, capped, tokens of one section by a model of our making."""
    writer = writer_of(write_bigram(tmp_path / "model.gguf", successors))
    events = list(writer.write((), ("<L1>", Section("L1", max_tokens), "</L1>"), Sampling(0)))
    closed, finished = events[-2:]
    assert isinstance(closed, Closed) and isinstance(finished, Finished)
    return parts(events)["L1"], closed.capped, finished.decode_tokens


def test_the_model_has_read_exactly_what_is_shown(policy: Path) -> None:
    writer = writer_of(policy)
    prompt = "".join(piece.text for piece in prompt_pieces(POST))
    for seed in range(30):
        shown = prompt + written(writer.write(prompt_pieces(POST), response_script(), Sampling(seed)))
        read = writer.text()
        # Nothing is read behind the answer's text, so the end of it may be missing.
        assert shown.startswith(read) and "<answer>" in read[len(prompt) :]


def test_a_section_ends_where_the_model_begins_a_tag(tmp_path: Path) -> None:
    assert write_one(tmp_path, {b"<L1>": b"a", b"a": b"b", b"b": b"</L1>"}) == ("ab", False, 3)
    assert write_one(tmp_path, {b"<L1>": b"a", b"a": b"b", b"b": b"<"}) == ("ab", False, 3)


def test_text_in_the_token_that_holds_the_tag_is_kept(tmp_path: Path) -> None:
    assert write_one(tmp_path, {b"<L1>": b"a", b"a": "。<".encode()}) == ("a。", False, 2)


def test_a_capped_section_goes_on_to_the_end_of_its_sentence(tmp_path: Path) -> None:
    loop = {b"<L1>": b"a", b"a": b"b", b"b": b"c", b"c": b"!", b"!": b"a"}
    assert write_one(tmp_path, loop) == ("abc!abc!", True, 8)


def test_a_sentence_without_end_is_cut_after_the_grace(tmp_path: Path) -> None:
    assert write_one(tmp_path, {b"<L1>": b"a", b"a": b"a"}) == ("a" * (6 + GRACE_TOKENS), True, 6 + GRACE_TOKENS)


def test_half_a_character_at_the_cap_is_dropped(tmp_path: Path) -> None:
    # Two bytes of three in every turn, and an odd number of turns: the last character stays open.
    text, capped, tokens = write_one(tmp_path, {b"<L1>": b"\xe5", b"\xe5": b"\xa5", b"\xa5": b"\xe5"}, max_tokens=5)
    assert capped and tokens == 5 + GRACE_TOKENS
    assert text == "\ufffd" * (tokens // 2)


def test_a_model_that_writes_nothing_visible_leaves_a_placeholder(tmp_path: Path) -> None:
    no_break_spaces = {b"<L1>": b"\xc2", b"\xc2": b"\xa0", b"\xa0": b"\xc2"}
    assert write_one(tmp_path, no_break_spaces) == (PLACEHOLDER, True, 6 + GRACE_TOKENS)


@pytest.mark.parametrize("token", [b"</L1>", b"\n", b" ", b"<", b"\0", b"<|im_end|>"])
def test_a_section_begins_with_something_visible(tmp_path: Path, token: bytes) -> None:
    text, _, _ = write_one(tmp_path, {b"<L1>": token})
    assert text and text == text.lstrip() and not text.startswith(("<", "\0"))


@pytest.mark.parametrize("token", [b"\0", b"\x1b", b"\x7f", b"\r"])
def test_control_characters_are_not_written(tmp_path: Path, token: bytes) -> None:
    text, _, _ = write_one(tmp_path, {b"<L1>": b"a", b"a": token})
    assert token.decode() not in text


def test_text_after_the_last_section_is_not_read(policy: Path) -> None:
    writer = writer_of(policy)
    list(writer.write(prompt_pieces(POST), response_script(), Sampling(0)))
    assert not writer.text().endswith(TAGS[-1])
