"""Each check of a seed chain by itself fails on a good one with one thing made wrong; lines that are none are named."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from app.safety.help_lines import help_lines
from training.data.seed_chains import (
    FOLDER,
    LENGTHS,
    SeedChain,
    check_form,
    distinct_1,
    read_seed_chains,
    size,
)

CHINESE = [chain for chain in read_seed_chains() if chain.language == "zh"]
PLAIN = next(chain for chain in CHINESE if not chain.signals)
RISKY = next(chain for chain in CHINESE if chain.signals)
HELP_LINE = help_lines()[0].number


def changed(chain: SeedChain, **values) -> SeedChain:
    """A copy with other values, layers and answer among them."""
    parts = {name: values.pop(name) for name in chain.response.parts() if name in values}
    return dataclasses.replace(chain, **values, response=dataclasses.replace(chain.response, **parts))


def with_writer(**values) -> SeedChain:
    return changed(PLAIN, writer=PLAIN.writer | values)


@pytest.mark.parametrize("chain", [PLAIN, RISKY], ids=lambda chain: chain.id)
def test_a_good_chain_has_no_fault_of_form(chain):
    assert list(check_form(chain)) == []


ZH = LENGTHS["zh"]
DOCTORED = {
    "unknown topic": (changed(PLAIN, topic="cooking", id="cooking-01"), "topic cooking is not in"),
    "unknown subtopic": (changed(PLAIN, subtopic="做饭"), "subtopic 做饭 is not among"),
    "id of another topic": (changed(PLAIN, id="grief-01"), "its id does not begin with its topic"),
    "too young": (with_writer(age=13), "it needs age (14-70)"),
    "too old": (with_writer(age=71), "it needs age (14-70)"),
    "age in words": (with_writer(age="30"), "it needs age (14-70)"),
    "one thing more": (with_writer(name="x"), "it needs age (14-70), gender and place"),
    "unknown gender": (with_writer(gender="x"), "gender is f or m"),
    "unknown place": (with_writer(place="moon"), "place one of"),
    "unknown voice": (changed(PLAIN, voice="loud"), "voice loud is not among"),
    "unknown signal": (changed(RISKY, signals=(*RISKY.signals, "sad")), "signal sad is not among"),
    "not read twice": (changed(PLAIN, second_reading=" "), "no second reading is noted"),
    "list": (changed(PLAIN, answer=PLAIN.answer[:400] + "\n1. 先睡一觉"), "the answer holds a list: '1. 先'"),
    "bullets": (changed(PLAIN, answer=PLAIN.answer[:400] + "\n- 先睡一觉"), "the answer holds a list"),
    "stock opening": (changed(PLAIN, answer="亲爱的，" + PLAIN.answer[:400]), "stock phrase: '亲爱的'"),
    "stock ending": (changed(PLAIN, answer=PLAIN.answer[:400] + "加油！"), "stock phrase: '加油！'"),
    "blessing": (changed(PLAIN, answer=PLAIN.answer[:400] + "祝你今晚睡好。"), "stock phrase: '祝你今晚睡好。'"),
    "invented number": (changed(RISKY, answer=RISKY.answer + "打 95588。"), "the answer names 95588, which"),
    "help line without a signal": (
        changed(PLAIN, answer=PLAIN.answer + f"打 {HELP_LINE}。"),
        "and the instance carries no signal",
    ),
    "signal without a help line": (
        changed(RISKY, answer=re.sub(r"\d", "", RISKY.answer)),
        "it carries signals, and the answer names no help line",
    ),
    "signal without a question": (
        changed(RISKY, answer=RISKY.answer.replace("？", "。").replace("?", "。")),
        "it carries signals, and the answer asks no question",
    ),
    **{
        f"{name} of {count}": (
            changed(PLAIN, **{name: "龘" * count}),
            f"{name} has {count}, and {limits[0]} to {limits[1]} are allowed",
        )
        for name, limits in (*list(ZH.items())[:2], ("L1", ZH["layer"]), ("L4", ZH["layer"]), ("answer", ZH["answer"]))
        for count in (limits[0] - 1, limits[1] + 1)
    },
}


@pytest.mark.parametrize("name", DOCTORED)
def test_one_wrong_thing_is_the_one_fault_that_is_found(name):
    chain, fault = DOCTORED[name]
    [found] = check_form(chain)
    assert fault in found


def test_lengths_at_their_limits_are_allowed():
    for name, limits in (("title", ZH["title"]), ("L2", ZH["layer"]), ("answer", ZH["answer"])):
        for count in limits:
            assert list(check_form(changed(PLAIN, **{name: "龘" * count}))) == []


def test_english_is_measured_in_words_and_chinese_in_characters():
    assert size("I can't sleep, again.", "en") == 4 and size("又没有睡着。", "zh") == 6
    assert distinct_1("I know. I know it.", "en") == 3 / 5
    assert distinct_1("好，好，好！", "zh") == 1 / 3
    texts = {name: " ".join(["word"] * 100) for name in ("description", "L1", "L2", "L3", "L4")}
    english = changed(PLAIN, language="en", id=f"en-{PLAIN.id}", title="Word word word", **texts)
    [fault] = check_form(changed(english, answer=" ".join(["word"] * 199)))
    assert fault == "answer has 199, and 200 to 600 are allowed"
    assert list(check_form(changed(english, answer=" ".join(["word"] * 200)))) == []


LINE = next(iter(Path(FOLDER, f"{PLAIN.topic}.jsonl").read_text("utf-8").splitlines()))


@pytest.mark.parametrize(
    ("doctor", "reason"),
    [
        (lambda values: values.pop("voice"), "its keys are id, language, "),
        (lambda values: values.update(extra=1), "its keys are "),
        (lambda values: values.update(title=values.pop("title")), "in this order"),
        (lambda values: values.update(language="fr"), "its language is fr; known are zh, en"),
        (lambda values: values.update(L2=""), "L2: must hold text"),
        (lambda values: values.update(answer="a<b"), "answer: must not contain"),
        (lambda values: values.update(L2=["a"]), "'list' object has no attribute 'strip'"),
        (lambda values: values.update(signals=None), "not iterable"),
    ],
)
def test_a_line_that_is_no_chain_is_named(tmp_path, doctor, reason):
    values = json.loads(LINE)
    doctor(values)
    (tmp_path / "a.jsonl").write_text(f"{LINE}\n{json.dumps(values)}\n", "utf-8")
    with pytest.raises(ValueError, match=r"^a\.jsonl:2: ") as caught:
        read_seed_chains(tmp_path)
    assert reason in str(caught.value)


def test_files_that_cannot_be_json_are_named_and_chains_come_file_by_file(tmp_path):
    (tmp_path / "b.jsonl").write_text(f"{LINE}\n", "utf-8")
    (tmp_path / "notes.md").write_text("no chain", "utf-8")
    assert [chain.id for chain in read_seed_chains(tmp_path)] == [PLAIN.id]
    (tmp_path / "a.jsonl").write_text("{", "utf-8")
    with pytest.raises(ValueError, match=r"^a\.jsonl:1: "):
        read_seed_chains(tmp_path)
