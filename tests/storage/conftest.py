"""A store in a temporary folder, and synthetic texts to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.chain import Response
from storage.records import Draft, Person
from storage.store import Store
from tests.drafts import start_draft


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "data")
    yield store
    store.close()


@dataclass(frozen=True)
class People:
    author: Person
    reviewer: Person
    other: Person


@pytest.fixture
def people(store: Store) -> People:
    return People(store.person("作者"), store.person("审核"), store.person("第三人"))


@pytest.fixture
def text() -> Callable[[str], Response]:
    """A response whose answer is given."""
    return lambda answer: Response("累，因为加班", "怕让人失望", "想被听见", "先接住疲惫", answer)


@pytest.fixture
def new_draft(store: Store, people: People, text: Callable[[str], Response]) -> Callable[[], Draft]:
    """A finished draft by the author."""

    def make() -> Draft:
        post = store.add_post("最近很累", "每天加班到很晚，不知道为了什么。", people.author.id)
        draft = start_draft(store, post.id, people.author.id)
        return store.finish_draft(draft.id, "done", text("模型写的回信").parts(), timings={"decode_s": 1.5})

    return make
