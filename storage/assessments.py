"""What hangs on a review: how it is written, and read back for many reviews at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from storage.records import Assessment, Comment
from storage.review_tables import comments, ratings, review_reasons, verdicts


def write(connection: Connection, review_id: int, assessment: Assessment) -> None:
    """Insert the rows of a review's assessment."""
    parts: list[tuple[Table, list[dict[str, object]]]] = [
        (verdicts, [{"section": name, "verdict": verdict} for name, verdict in assessment.verdicts.items()]),
        (ratings, [{"aspect": aspect, "rating": rating} for aspect, rating in assessment.ratings.items()]),
        (comments, [vars(comment) for comment in assessment.comments]),
        (review_reasons, [{"reason_id": reason_id} for reason_id in dict.fromkeys(assessment.reasons)]),
    ]
    for table, values in parts:
        if values:
            connection.execute(insert(table), [{"review_id": review_id, **row} for row in values])


def read(connection: Connection, review_ids: Sequence[int]) -> dict[int, Assessment]:
    """The assessments of reviews, by their ids."""
    said = {table: _by_review(connection, table, review_ids) for table in (verdicts, ratings, comments, review_reasons)}
    return {
        review_id: Assessment(
            verdicts={row.section: row.verdict for row in said[verdicts][review_id]},
            ratings={row.aspect: row.rating for row in said[ratings][review_id]},
            comments=tuple(Comment(row.section, row.text, row.quote) for row in said[comments][review_id]),
            reasons=tuple(row.reason_id for row in said[review_reasons][review_id]),
        )
        for review_id in review_ids
    }


def _by_review(connection: Connection, table: Table, review_ids: Sequence[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    query = select(table).where(table.c.review_id.in_(review_ids)).order_by(*table.primary_key.columns)
    for row in connection.execute(query):
        found[row.review_id].append(row)
    return found
