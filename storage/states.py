"""What may happen to a draft between its people, in one table."""

from __future__ import annotations

from typing import Literal

from storage.errors import StorageError
from storage.records import Decision, State

Action = Literal["save", "submit"] | Decision
"""`save` means: a text that differs from the latest revision."""

# What a reviewer holds or has approved cannot be saved over: a save that was on its way would undo it unnoticed.
TRANSITIONS: dict[tuple[State, Action], State] = {
    ("open", "save"): "open",
    ("rejected", "save"): "open",
    # Stays on the author's list, beside the reason, until it is submitted again.
    ("returned", "save"): "returned",
    ("open", "submit"): "submitted",
    ("returned", "submit"): "submitted",
    ("submitted", "approve"): "approved",
    ("submitted", "return"): "returned",
    ("submitted", "reject"): "rejected",
    # Somebody senior is called in; the decision is still to be made.
    ("submitted", "escalate"): "submitted",
}


def after(state: State, action: Action) -> State:
    """The state that an action leads to.

    Raises:
        StorageError: wrong_state (state, action), if the table does not hold the pair.
    """
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise StorageError("wrong_state", state=state, action=action) from None
