"""Rounds of blind ranking: set up, opened, ranked, locked for good; and only then read.

What an annotator is given holds no name, score or latency; results leave a locked round alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection, and_, exists, func, select, update

from storage import ranking_rows as rows
from storage import steps
from storage.database import Database
from storage.errors import StorageError
from storage.ranking_records import (
    Answer,
    BlindItem,
    Item,
    NewItem,
    NewSystem,
    Round,
    RoundProgress,
    RoundResults,
    RoundState,
    System,
)
from storage.ranking_tables import (
    ranking_annotators,
    ranking_answers,
    ranking_items,
    ranking_rounds,
    ranking_systems,
    rankings,
)
from storage.records import Person
from storage.schema import people

LEAST_SYSTEMS = 2


class Ranking:
    """Blind ranking in one data folder. Raises what `Store` does.

    Beside what is said below, every method that takes a round raises StorageError round_unknown (round_id), and every
    one that needs it in a certain state round_state (state, needed).
    """

    def __init__(self, database: Database):
        self._database = database

    # Set up

    def create(
        self,
        name: str,
        guidelines: str,
        seed: int,
        author_id: int,
        *,
        systems: Sequence[NewSystem],
        items: Sequence[NewItem],
        annotators: Sequence[int],
    ) -> Round:
        """Set a round up, as a whole, with the answers that are there already.

        Args:
            name: what people call it.
            guidelines: what annotators read beside the task.
            seed: of all that is drawn in it, below 2**31.
            author_id: who sets it up.
            systems: two or more, each under a name of its own.
            items: one or more that is no check, each a post of its own.
            annotators: the ids of who ranks.

        Raises:
            StorageError: round_too_small (systems, posts, annotators).
        """
        posts = sum(item.check is None for item in items)
        if len({system.name for system in systems}) < max(LEAST_SYSTEMS, len(systems)) or not posts or not annotators:
            raise StorageError("round_too_small", systems=len(systems), posts=posts, annotators=len(annotators))
        with self._database.write() as connection:
            round_id = steps.add(
                connection,
                ranking_rounds,
                name=name,
                guidelines=guidelines,
                seed=seed,
                state="setup",
                author_id=author_id,
                created_at=steps.now(),
            )
            ids = {
                system.name: steps.add(
                    connection,
                    ranking_systems,
                    round_id=round_id,
                    name=system.name,
                    kind=system.kind,
                    sha256=system.sha256,
                )
                for system in systems
            }
            for item in items:
                post = steps.add_post(connection, item.title, item.description, author_id)
                item_id = steps.add(
                    connection,
                    ranking_items,
                    round_id=round_id,
                    post_id=post.id,
                    topic=item.topic,
                    check_kind=item.check,
                    planted_system_id=ids[item.planted] if item.planted else None,
                )
                for system_name, text in item.answers.items():
                    _add_answer(connection, round_id, item_id, ids[system_name], text, None)
            for person_id in dict.fromkeys(annotators):
                steps.add(connection, ranking_annotators, round_id=round_id, person_id=person_id)
            steps.log(connection, "round_created", author_id, count=len(items))
            return _find(connection, round_id)

    def missing(self, round_id: int) -> list[tuple[Item, System]]:
        """Which system's answer to which item is still to come, a system after the other."""
        with self._database.read() as connection:
            _find(connection, round_id)
            answered = {(answer.item_id, answer.system_id) for answer in _answers(connection, round_id)}
            items, systems = _items(connection, round_id), _systems(connection, round_id)
            return [(item, system) for system in systems for item in items if (item.id, system.id) not in answered]

    def written(self, round_id: int) -> tuple[tuple[Item, ...], tuple[Answer, ...]]:
        """The items of a round, and the answers so far: what is planted is made of them."""
        with self._database.read() as connection:
            _find(connection, round_id)
            return _items(connection, round_id), _answers(connection, round_id)

    def add_answer(self, round_id: int, item_id: int, system_id: int, text: str, latency_s: float | None) -> None:
        """Keep what a system wrote; a second answer to the same item changes nothing."""
        with self._database.write() as connection:
            _find(connection, round_id, "setup")
            if system_id not in _texts(connection, round_id, item_id):
                _add_answer(connection, round_id, item_id, system_id, text, latency_s)

    def open(self, round_id: int, person_id: int) -> Round:
        """Let the annotators rank. Raises StorageError round_incomplete (missing), if answers are missing."""
        with self._database.write() as connection:
            _find(connection, round_id, "setup")
            wanted = len(_items(connection, round_id)) * len(_systems(connection, round_id))
            missing = wanted - len(_answers(connection, round_id))
            if missing:
                raise StorageError("round_incomplete", missing=missing)
            return _move(connection, round_id, "open", person_id, opened_at=steps.now())

    # Rank

    def rounds(self) -> list[Round]:
        """All rounds, newest first."""
        with self._database.read() as connection:
            newest_first = rows.SELECT_ROUND.order_by(ranking_rounds.c.id.desc())
            return [rows.to_round(row) for row in connection.execute(newest_first).mappings()]

    def round(self, round_id: int) -> Round:
        """One round."""
        with self._database.read() as connection:
            return _find(connection, round_id)

    def rounds_of(self, person_id: int) -> list[Round]:
        """The open rounds in which a person is to rank, oldest first."""
        query = (
            rows.SELECT_ROUND.join(ranking_annotators, ranking_annotators.c.round_id == ranking_rounds.c.id)
            .where(ranking_annotators.c.person_id == person_id, ranking_rounds.c.state == "open")
            .order_by(ranking_rounds.c.id)
        )
        with self._database.read() as connection:
            return [rows.to_round(row) for row in connection.execute(query).mappings()]

    def todo(self, round_id: int, person_id: int) -> dict[int, bool]:
        """The items of an open round, by id, and whether this person has ranked each.

        Raises:
            StorageError: not_an_annotator.
        """
        done = exists().where(and_(rankings.c.item_id == ranking_items.c.id, rankings.c.person_id == person_id))
        query = (
            select(ranking_items.c.id, done.label("done"))
            .where(ranking_items.c.round_id == round_id)
            .order_by(ranking_items.c.id)
        )
        with self._database.read() as connection:
            _check_annotator(connection, _find(connection, round_id, "open"), person_id)
            return {row.id: bool(row.done) for row in connection.execute(query)}

    def blind(self, round_id: int, item_id: int, person_id: int) -> BlindItem:
        """What this person is to rank. Raises StorageError not_an_annotator, ranking_malformed (no such item)."""
        with self._database.read() as connection:
            _check_annotator(connection, _find(connection, round_id, "open"), person_id)
            item = next((item for item in _items(connection, round_id) if item.id == item_id), None)
            if item is None:
                raise StorageError("ranking_malformed")
            return BlindItem(item.id, item.post, _texts(connection, round_id, item_id))

    def rank(
        self,
        round_id: int,
        item_id: int,
        person_id: int,
        *,
        shown: Sequence[int],
        places: Sequence[int],
        none_fits: bool,
        seconds: float,
    ) -> None:
        """Append a ranking; it counts in place of this person's earlier ones of the item, which are kept.

        Args:
            round_id: an open round.
            item_id: one of its items.
            person_id: one of its annotators.
            shown: every system once, in the order in which the answers stood on the page.
            places: 1 or more for each of them; smaller is better, equal is tied.
            none_fits: no answer would do.
            seconds: that the person looked at it.

        Raises:
            StorageError: not_an_annotator, ranking_malformed.
        """
        with self._database.write() as connection:
            _check_annotator(connection, _find(connection, round_id, "open"), person_id)
            systems = _texts(connection, round_id, item_id)
            whole = len(shown) == len(places) and sorted(shown) == sorted(systems) and min(places, default=0) > 0
            if not whole or not math.isfinite(seconds) or seconds < 0:
                raise StorageError("ranking_malformed")
            steps.add(
                connection,
                rankings,
                round_id=round_id,
                item_id=item_id,
                person_id=person_id,
                shown=list(shown),
                places=list(places),
                none_fits=none_fits,
                seconds=seconds,
                created_at=steps.now(),
            )
            steps.log(connection, "ranked", person_id)

    def progress(self, round_id: int) -> RoundProgress:
        """How far a round is; says nothing of what was ranked how."""
        ranked = (
            select(people.c.id, people.c.name, func.count(rankings.c.item_id.distinct()).label("done"))
            .join(ranking_annotators, ranking_annotators.c.person_id == people.c.id)
            .outerjoin(rankings, and_(rankings.c.round_id == round_id, rankings.c.person_id == people.c.id))
            .where(ranking_annotators.c.round_id == round_id)
            .group_by(people.c.id, people.c.name)
            .order_by(people.c.id)
        )
        with self._database.read() as connection:
            _find(connection, round_id)
            items, systems = _items(connection, round_id), _systems(connection, round_id)
            return RoundProgress(
                answers=len(_answers(connection, round_id)),
                wanted=len(items) * len(systems),
                items=len(items),
                ranked={Person(row.id, row.name): row.done for row in connection.execute(ranked)},
            )

    # Lock and read

    def lock(self, round_id: int, person_id: int) -> Round:
        """End an open round, for good: nobody ranks any more, and the results can be read."""
        with self._database.write() as connection:
            _find(connection, round_id, "open")
            return _move(connection, round_id, "locked", person_id, locked_at=steps.now())

    def results(self, round_id: int) -> RoundResults:
        """Everything of a locked round."""
        with self._database.read() as connection:
            found = _find(connection, round_id, "locked")
            annotators = (
                select(people.c.id, people.c.name)
                .join(ranking_annotators, ranking_annotators.c.person_id == people.c.id)
                .where(ranking_annotators.c.round_id == round_id)
                .order_by(people.c.id)
            )
            return RoundResults(
                round=found,
                systems=_systems(connection, round_id),
                items=_items(connection, round_id),
                answers=_answers(connection, round_id),
                annotators=tuple(Person(row.id, row.name) for row in connection.execute(annotators)),
                rankings=tuple(map(rows.to_ranked, connection.execute(rows.select_latest(round_id)).mappings())),
            )


def _find(connection: Connection, round_id: int, needed: RoundState | None = None) -> Round:
    """A round, in the needed state."""
    query = rows.SELECT_ROUND.where(ranking_rounds.c.id == round_id)
    row = connection.execute(query).mappings().first() if 0 < round_id <= steps.LAST_ID else None
    if row is None:
        raise StorageError("round_unknown", round_id=round_id)
    if needed is not None and row["state"] != needed:
        raise StorageError("round_state", state=row["state"], needed=needed)
    return rows.to_round(row)


def _check_annotator(connection: Connection, found: Round, person_id: int) -> None:
    query = select(ranking_annotators).where(
        ranking_annotators.c.round_id == found.id, ranking_annotators.c.person_id == person_id
    )
    if connection.execute(query).first() is None:
        raise StorageError("not_an_annotator")


def _items(connection: Connection, round_id: int) -> tuple[Item, ...]:
    return tuple(map(rows.to_item, connection.execute(rows.select_items(round_id)).mappings()))


def _systems(connection: Connection, round_id: int) -> tuple[System, ...]:
    return tuple(map(rows.to_system, connection.execute(rows.select_systems(round_id)).mappings()))


def _answers(connection: Connection, round_id: int) -> tuple[Answer, ...]:
    return tuple(map(rows.to_answer, connection.execute(rows.select_answers(round_id)).mappings()))


def _texts(connection: Connection, round_id: int, item_id: int) -> dict[int, str]:
    query = rows.select_answers(round_id).where(ranking_answers.c.item_id == item_id)
    return {row.system_id: row.text for row in connection.execute(query)}


def _add_answer(
    connection: Connection, round_id: int, item_id: int, system_id: int, text: str, latency_s: float | None
) -> None:
    if not text.strip():
        raise StorageError("answer_empty")
    steps.add(
        connection,
        ranking_answers,
        item_id=item_id,
        system_id=system_id,
        round_id=round_id,
        text=text,
        latency_s=latency_s,
        created_at=steps.now(),
    )


def _move(connection: Connection, round_id: int, state: RoundState, person_id: int, **moment: object) -> Round:
    connection.execute(update(ranking_rounds).where(ranking_rounds.c.id == round_id).values(state=state, **moment))
    steps.log(connection, f"round_{state}", person_id)
    return _find(connection, round_id)
