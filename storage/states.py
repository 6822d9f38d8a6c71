"""What may happen to a draft between its people: who may do what in which state, in one table.

The database knows the states that last (`State`, a trigger holds their changes to this table). Two more come and go
with other rows: a submitted text is `escalated` while a reviewer's call for somebody senior, or a disagreement of its
reviewers, waits for an answer, else `claimed` while a reviewer has it open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from storage.errors import StorageError
from storage.records import Decision, Standing, State

Action = Literal["save", "submit", "claim", "undo", "reopen"] | Decision
"""`save` means: a text that differs from the latest revision."""

Part = Literal["anyone", "second", "lead", "decider"]
"""Of a person in a draft. `second`: no part in its text, allowed to review, and with one of the reviewers' seats;
`lead`: the same, and senior; `decider`: whose decision it was, moments ago."""


@dataclass(frozen=True)
class Rule:
    """What an action leads to, and whose it is. A decision leads there once enough reviewers agree (`settled`)."""

    to: State
    by: Part


def _undone(*states: Standing) -> dict[tuple[Standing, Action], Rule]:
    return {(state, "undo"): Rule("submitted", "decider") for state in states}


def _decided(state: Standing, by: Part) -> dict[tuple[Standing, Action], Rule]:
    return {
        (state, "claim"): Rule("submitted", by),
        (state, "approve"): Rule("approved", by),
        (state, "return"): Rule("returned", by),
        (state, "reject"): Rule("rejected", by),
    }


# What a reviewer holds or has approved cannot be saved over: a save that was on its way would undo it unnoticed.
RULES: dict[tuple[Standing, Action], Rule] = {
    ("open", "save"): Rule("open", "anyone"),
    ("rejected", "save"): Rule("open", "anyone"),
    # Stays on the author's list, beside the reason, until it is submitted again.
    ("returned", "save"): Rule("returned", "anyone"),
    ("open", "submit"): Rule("submitted", "anyone"),
    ("returned", "submit"): Rule("submitted", "anyone"),
    # Takes the approval back, and says so; a changed text has to be approved anew.
    ("approved", "reopen"): Rule("open", "anyone"),
    **_decided("submitted", "second"),
    ("submitted", "escalate"): Rule("submitted", "second"),
    **_decided("claimed", "second"),
    ("claimed", "escalate"): Rule("submitted", "second"),
    **_decided("escalated", "lead"),
    **_undone("submitted", "claimed", "escalated", "approved", "returned", "rejected"),
}

PASSING: tuple[Standing, ...] = ("claimed", "escalated")
"""Kinds of `submitted`."""

CHANGES: set[tuple[Standing, State]] = {
    (state, rule.to) for (state, _), rule in RULES.items() if state not in PASSING and state != rule.to
}
"""Of the state that the database keeps."""


def after(standing: Standing, action: Action) -> Rule:
    """The rule for an action.

    Raises:
        StorageError: wrong_state (state, action), if the table does not hold the pair.
    """
    try:
        return RULES[standing, action]
    except KeyError:
        raise StorageError("wrong_state", state=standing, action=action) from None


def settled(decisions: Sequence[Decision], reviewers: int) -> State:
    """Where the decisions of as many reviewers lead, each made without sight of the others.

    Somebody senior is called in by one of them, or by their disagreement: the text then stays submitted.
    """
    if len(decisions) < reviewers or len(set(decisions)) > 1 or "escalate" in decisions:
        return "submitted"
    return RULES["submitted", decisions[0]].to
