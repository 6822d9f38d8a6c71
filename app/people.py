"""Who is at the desk: the name that somebody signs with, as the person whose work is kept under it."""

from __future__ import annotations

from app.intake import accept_name
from app.reviewing import desk_errors
from storage.records import Person
from storage.store import Store


def signed(store: Store, name: str | None) -> Person:
    """The person of a name, made known if new.

    Raises:
        DeskError: name_missing, name_too_long, or what the store refused.
    """
    with desk_errors():
        return store.person(accept_name(name or ""))
