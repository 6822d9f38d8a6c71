"""The posts of a round: read from a file, with answers that were written elsewhere, and sampled by topic."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.errors import DeskError
from app.intake import accept_name, accept_post, accept_section, clean
from app.ranking.order import draw
from storage.ranking_records import CheckKind, NewItem

MAX_TOPIC_CHARS = 40
CHECKS: tuple[CheckKind, CheckKind] = ("copy", "off_topic")


def read_posts(source: Path) -> tuple[NewItem, ...]:
    """The posts of a JSON-lines file. Raises DeskError as `posts_of`."""
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise DeskError("ranking_posts_missing") from None
    return posts_of(text)


def posts_of(text: str) -> tuple[NewItem, ...]:
    """The posts of JSON lines, each once.

    A line is {"description": ...} and may have "title", "topic" and "answers", an object of answers by the names of the
    systems that wrote them.

    Raises:
        DeskError: ranking_posts_missing; ranking_posts_line (line), at the first line that is no post.
    """
    found: dict[tuple[str, str], NewItem] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            item = _post(line)
        except (ValueError, KeyError, TypeError, AttributeError, DeskError):
            raise DeskError("ranking_posts_line", line=number) from None
        found.setdefault((item.title, item.description), item)
    if not found:
        raise DeskError("ranking_posts_missing")
    return tuple(found.values())


def _post(line: str) -> NewItem:
    values = json.loads(line)
    title, description = accept_post(values.get("title", ""), values["description"])
    topic = " ".join(clean(values.get("topic", "")).text.split())
    if len(topic) > MAX_TOPIC_CHARS:
        raise ValueError
    answers = {accept_name(name): accept_section("answer", text) for name, text in values.get("answers", {}).items()}
    return NewItem(title, description, topic, answers)


def sample(posts: Sequence[NewItem], count: int, seed: int) -> list[NewItem]:
    """`count` of the posts, or all of fewer: topics take turns, so each has as many as the others while it lasts."""
    by_topic: dict[str, list[NewItem]] = {}
    for post in sorted(posts, key=lambda post: draw(seed, "post", post.title, post.description)):
        by_topic.setdefault(post.topic, []).append(post)
    # The n-th post of every topic before the n + 1st of any.
    turns = [
        (turn, draw(seed, "topic", topic), post) for topic, own in by_topic.items() for turn, post in enumerate(own)
    ]
    return [post for _, _, post in sorted(turns, key=lambda drawn: drawn[:2])][:count]


def imported_systems(posts: Iterable[NewItem]) -> tuple[str, ...]:
    """The names of the systems whose answers a file brought, in the order in which they come up."""
    return tuple(dict.fromkeys(name for post in posts for name in post.answers))


def with_checks(posts: Sequence[NewItem], systems: Sequence[str], count: int, seed: int) -> list[NewItem]:
    """The posts, the last `count` of them made checks of attention.

    Kinds take turns. Which system's answer gives way to the planted one is drawn: nobody learns by whose it stands.
    """
    plain, checks = posts[: len(posts) - count], posts[len(posts) - count :]
    made = list(plain)
    for number, post in enumerate(checks):
        planted = systems[draw(seed, "planted", number) % len(systems)]
        answers = {name: text for name, text in post.answers.items() if name != planted}
        made.append(dataclasses.replace(post, answers=answers, check=CHECKS[number % len(CHECKS)], planted=planted))
    return made
