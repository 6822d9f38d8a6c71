"""What is forced and what is free in a script, and what a model is told by steers and aims."""

from __future__ import annotations

from typing import get_args

import pytest

from app.chain import SECTIONS, Response, parse, render
from app.chain.steer import AIMS, STEERS, Aim, Steer, aimed, steered
from app.composing import complete
from app.engine.protocol import Script, Section
from app.engine.scripted import PARTS
from app.script import ANSWER_TOKENS, SHORT_ANSWER_TOKENS, response_script


def free(script: Script) -> list[str]:
    return [part.name for part in script if isinstance(part, Section)]


def written(script: Script) -> str:
    return "".join(PARTS[part.name] if isinstance(part, Section) else part for part in script)


def test_the_script_forces_the_frame_and_frees_every_section() -> None:
    script = response_script()
    text = "".join(PARTS[part.name] if isinstance(part, Section) else part for part in script)
    assert parse(text).parts() == PARTS
    assert [part.name for part in script if isinstance(part, Section)] == list(SECTIONS)
    assert text == render(complete(PARTS))


@pytest.mark.parametrize("count", range(5))
def test_kept_sections_are_forced_and_the_rest_is_free(count: int) -> None:
    kept = {name: f"改过的{name}" for name in SECTIONS[:count]}
    script = response_script(kept)
    assert free(script) == list(SECTIONS[count:])
    assert parse(written(script)) == Response(**{**PARTS, **kept})
    # An engine reads forced text up to the first section together with the prompt.
    assert isinstance(script[0], str) and all(text in script[0] for text in kept.values())


def test_a_section_in_the_middle_may_be_kept_alone() -> None:
    script = response_script({"L3": "想被听见"})
    assert free(script) == ["L1", "L2", "L4", "answer"]
    assert parse(written(script)).L3 == "想被听见"


def test_a_single_section_ends_its_script() -> None:
    script = response_script({name: text for name, text in PARTS.items() if name != "L2"}, only=True)
    assert free(script) == ["L2"] and script[-1] == Section("L2", 200)


def test_a_short_answer_has_a_lower_cap() -> None:
    assert response_script(answer_tokens=SHORT_ANSWER_TOKENS)[-2].max_tokens == SHORT_ANSWER_TOKENS < ANSWER_TOKENS


def test_every_steer_and_aim_is_a_text_that_a_section_can_hold() -> None:
    assert set(STEERS) == set(get_args(Steer)) and set(AIMS) == set(get_args(Aim))
    for texts in (*STEERS.values(), *AIMS.values()):
        assert set(texts) == {"zh", "en"}
        for text in texts.values():
            Response("一", "二", "三", text, "五")


def test_what_a_model_is_told_is_in_the_language_of_what_it_reads() -> None:
    assert steered("先接住疲惫", "warmer").endswith(STEERS["warmer"]["zh"])
    assert steered("Validate first.", "warmer").endswith(STEERS["warmer"]["en"])
    assert aimed("I am tired", "listen") == AIMS["listen"]["en"] and aimed("累", "listen") == AIMS["listen"]["zh"]


def test_steers_add_up_and_none_is_said_twice() -> None:
    once = steered("先接住疲惫", "warmer")
    both = steered(once, "shorter")
    assert both == f"先接住疲惫\n{STEERS['warmer']['zh']}\n{STEERS['shorter']['zh']}"
    assert steered(both, "warmer") == both
