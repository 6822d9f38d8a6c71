"""How a section begins and ends, with models that write what the test wants; and what the model has read by then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.chain import TAGS, parse, prompt_pieces
from app.engine import native
from app.engine.decode import GRACE_TOKENS, PLACEHOLDER, Writer
from app.engine.lead import LeadFile
from app.engine.native import StopSwitch, load_model
from app.engine.protocol import Closed, Finished, Reading, Sampling, Section
from tests.app.engine.drafts import POST, by_candidate, parts, response_script, written
from tests.tiny_gguf import write_bigram


class RecordingWriter(Writer):
    """Keeps the ids that stand in each sequence; a finished candidate's stay after it is gone."""

    def __init__(self, *arguments: Any):
        self.ids: dict[int, list[int]] = {}
        super().__init__(*arguments)

    def _feed(self, parts: Sequence[tuple[Any, list[int]]]) -> list[int]:
        for sequence, ids in parts:
            before = self.ids.setdefault(sequence.number, self.ids.get(0, [])[: sequence.position])
            self.ids[sequence.number] = before[: sequence.position] + ids
        return super()._feed(parts)

    def _roll_back(self, sequence: Any, position: int) -> None:
        super()._roll_back(sequence, position)
        if position:
            self.ids[sequence.number] = self.ids.get(sequence.number, [])[:position]

    def text(self, candidate: int = 0) -> str:
        return b"".join(self.vocab.pieces()[token] for token in self.ids[candidate + 1]).decode("utf-8", "replace")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # This process has not been told to let idle OpenMP threads sleep, as the child is.
    monkeypatch.setattr(native, "thread_count", lambda: 1)
    yield


def writer_of(path: Path, lead: LeadFile | None = None) -> RecordingWriter:
    return RecordingWriter(load_model(path, lambda: None), path.name, 4096, 4, StopSwitch(), lead)


def lead_of(writer: Writer) -> int:
    """Tokens before the post."""
    ahead = itertools.takewhile(lambda piece: piece.special, prompt_pieces(POST))
    return sum(len(writer.vocab.tokens(piece.text, special=True)) for piece in ahead)


def write_one(tmp_path: Path, successors: Mapping[bytes, bytes], max_tokens: int = 6) -> tuple[str, bool, int]:
    """Text, capped, tokens of one section by a model of our making."""
    writer = writer_of(write_bigram(tmp_path / "model.gguf", successors))
    events = list(writer.write((), ("<L1>", Section("L1", max_tokens), "</L1>"), [Sampling(0)]))
    closed, finished = events[-2:]
    assert isinstance(closed, Closed) and isinstance(finished, Finished)
    return parts(events)["L1"], closed.capped, finished.decode_tokens


def test_the_model_has_read_exactly_what_is_shown(policy: Path) -> None:
    writer = writer_of(policy)
    prompt = "".join(piece.text for piece in prompt_pieces(POST))
    for seed in range(30):
        shown = prompt + written(writer.write(prompt_pieces(POST), response_script(), [Sampling(seed)]))
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
    list(writer.write(prompt_pieces(POST), response_script(), [Sampling(0)]))
    assert not writer.text().endswith(TAGS[-1])


def test_every_candidate_has_read_exactly_what_it_shows(policy: Path) -> None:
    writer = writer_of(policy)
    prompt = "".join(piece.text for piece in prompt_pieces(POST))
    for seed in range(0, 40, 4):
        events = list(writer.write(prompt_pieces(POST), response_script(), [Sampling(seed + n) for n in range(4)]))
        shown = [prompt + written(by_candidate(events, number)) for number in range(4)]
        assert len(set(shown)) == 4
        for number, text in enumerate(shown):
            assert text.startswith(writer.text(number)) and "<answer>" in writer.text(number)[len(prompt) :]


def test_candidates_end_at_different_times_and_each_is_whole(policy: Path) -> None:
    writer = writer_of(policy)
    events = list(writer.write(prompt_pieces(POST), response_script(), [Sampling(n) for n in range(4)]))
    last = {event.candidate: at for at, event in enumerate(events) if isinstance(event, Closed)}
    sampled = events[-1].decode_tokens if isinstance(events[-1], Finished) else 0
    assert len(set(last.values())) == 4 and sampled > 0
    for number in range(4):
        assert parse(written(by_candidate(events, number)))


def test_a_long_text_forced_amid_the_script_is_read_by_every_candidate(policy: Path) -> None:
    """An edited layer may be longer than a batch."""
    writer = writer_of(policy)
    edited = "他很累，" * 200
    script = ("<L1>", Section("L1", 5), f"</L1>\n<L2>{edited}</L2>\n<L3>", Section("L3", 5), "</L3>")
    assert len(writer.vocab.tokens(edited, special=True)) > 3 * 256
    list(writer.write(prompt_pieces(POST), script, [Sampling(n) for n in range(3)]))
    assert all(writer.text(number).count(edited) == 1 for number in range(3))


def test_candidates_leave_nothing_behind(policy: Path) -> None:
    writer = writer_of(policy)
    alone = written(writer.write(prompt_pieces(POST), response_script(), [Sampling(5)]))
    events = writer.write(prompt_pieces(POST), response_script(), [Sampling(n) for n in range(4)])
    next(event for event in events if isinstance(event, Closed))
    events.close()
    assert written(writer.write(prompt_pieces(POST), response_script(), [Sampling(5)])) == alone


def test_reading_ahead_saves_reading_and_changes_no_text(policy: Path) -> None:
    post = POST * 20
    expected = written(writer_of(policy).write(prompt_pieces(post), response_script(), [Sampling(3)]))
    writer = writer_of(policy)
    list(writer.read_ahead(prompt_pieces(post)))
    first, *events = writer.write(prompt_pieces(post), response_script(), [Sampling(3)])
    lead = lead_of(writer)
    assert isinstance(first, Reading) and first.done_tokens == lead + (first.total_tokens - lead) // 256 * 256 > lead
    assert written(events) == expected


def test_reading_ahead_stops_where_it_is_told_and_goes_on_from_there(policy: Path) -> None:
    writer = writer_of(policy)
    reading = writer.read_ahead(prompt_pieces(POST * 40))
    first = min(256, lead_of(writer))
    assert [next(reading).done_tokens, next(reading).done_tokens] == [0, first]
    writer._switch.arm(1)
    writer._switch.pull(1)
    assert list(reading) == []
    writer._switch.arm(2)
    assert next(writer.read_ahead(prompt_pieces(POST * 40))).done_tokens == first


def test_the_system_prompt_serves_every_post(policy: Path) -> None:
    writer = writer_of(policy)
    lead = lead_of(writer)
    assert [*writer.read_ahead(prompt_pieces("短"))][-1].done_tokens == lead
    first, *events = writer.write(prompt_pieces(POST), response_script(), [Sampling(3)])
    assert isinstance(first, Reading) and first.done_tokens == lead
    assert written(events) == written(writer_of(policy).write(prompt_pieces(POST), response_script(), [Sampling(3)]))


def test_what_was_read_of_the_system_prompt_is_taken_from_its_file(policy: Path, tmp_path: Path) -> None:
    def draft(model: str = "a" * 64) -> tuple[int, str]:
        writer = writer_of(policy, LeadFile(tmp_path, model))
        first, *events = writer.write(prompt_pieces(POST), response_script(), [Sampling(3)])
        assert isinstance(first, Reading)
        return first.done_tokens, written(events)

    (_, expected), (kept,) = draft(), tmp_path.iterdir()
    assert draft() == (lead_of(writer_of(policy)), expected)
    # A file that is cut short is thrown away and made anew; another model has one of its own.
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert draft() == (0, expected)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [whole]
    assert draft("b" * 64) == (0, expected)
    assert len([*tmp_path.iterdir()]) == 2


def test_a_folder_that_cannot_be_written_costs_no_draft(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = writer_of(policy, LeadFile(tmp_path / "file" / "cache", "a" * 64))
    assert parts(writer.write(prompt_pieces(POST), response_script(), [Sampling(3)]))["answer"]


def test_reading_ahead_of_a_post_beyond_the_context_ends_quietly(policy: Path) -> None:
    assert [*writer_of(policy).read_ahead(prompt_pieces(POST * 2000))][-1].done_tokens == 4096
