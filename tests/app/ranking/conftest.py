"""A store, files of made-up posts, and rounds that people have ranked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.ranking.posts import read_posts
from app.ranking.rounds import next_task, rank, set_up
from storage.ranking_records import Round
from storage.records import Person
from storage.store import Store

SYSTEMS = ("甲机", "乙机", "丙机")
PEOPLE = ("王敏", "李婷", "陈舟", "周宁")
TOPICS = ("工作", "学业", "家庭")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "data")
    yield store
    store.close()


@pytest.fixture
def posts_file(tmp_path: Path) -> Callable[..., Path]:
    """A file of posts, topics in turn, each answered by the given systems in words of their own."""

    def write(count: int, systems: tuple[str, ...] = SYSTEMS) -> Path:
        file = tmp_path / "posts.jsonl"
        lines = [
            {
                "title": f"信{number}",
                "description": f"第{number}封信，最近睡不好。",
                "topic": TOPICS[number % len(TOPICS)],
                "answers": {system: f"{system}回第{number}封信。" for system in systems},
            }
            for number in range(count)
        ]
        file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
        return file

    return write


@pytest.fixture
def opened(store: Store, posts_file: Callable[..., Path]) -> Callable[..., Round]:
    """An open round of three systems, whose answers were imported."""

    def make(count: int = 10, people: tuple[str, ...] = PEOPLE) -> Round:
        author = store.person("主管")
        made = set_up(
            store, author, "一月", "", posts=read_posts(posts_file(count)), count=count, models=(), annotators=people,
            seed=7,
        )  # fmt: skip
        return store.ranking.open(made.id, author.id)

    return make


@pytest.fixture
def rank_all(store: Store) -> Callable[..., int]:
    """Let a person rank what is left by a function from the answers, as shown, to their groups; counts the posts."""

    def go(
        chosen: Round, person: Person, judge: Callable[[tuple[str, ...]], list[int]], none_fits: bool = False
    ) -> int:
        count = 0
        while (task := next_task(store, chosen, person)) is not None:
            rank(store, chosen, person, task.item_id, judge(task.answers), none_fits=none_fits, seconds=30)
            count += 1
        return count

    return go
