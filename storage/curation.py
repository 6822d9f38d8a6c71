"""What lets a text leave the desk, and what keeps it here.

A text leaves if it is approved, its help-seeker agreed to training, a person found it, its post and the model's draft
to name no one, and, where the post was found to speak of danger, somebody beside its writers and the reviewer who
approved it has signed it. All of it is asked once more in the transaction that notes the leaving.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select

from storage import curation_rows, parts, rows, steps
from storage.curation_records import Candidate, Consent, Dossier, Purpose
from storage.curation_tables import consents, deidentifications, scans, signatures
from storage.database import Database
from storage.errors import StorageError
from storage.records import Person, Post, text_sha256, whole
from storage.review_tables import urgencies
from storage.schema import audit_events, drafts, people, posts, reviews

POSTS_AT_ONCE = 500
"""Of an export: so many posts are read in one transaction. A longer one would keep others from saving."""


class Curation:
    """Statements about cases, and what follows from them. Raises what `Store` does."""

    def __init__(self, database: Database):
        self._database = database

    # What people state

    def consent(self, post_id: int, purpose: Purpose, granted: bool, person_id: int) -> None:
        """Note that the help-seeker agrees to a use of the case, or no longer does. Raises post_unknown (post_id)."""
        with self._database.write() as connection:
            find_post(connection, post_id)
            steps.add(
                connection,
                consents,
                post_id=post_id,
                purpose=purpose,
                granted=granted,
                person_id=person_id,
                created_at=steps.now(),
            )
            code = f"consent_{purpose}_{'granted' if granted else 'withdrawn'}"
            steps.log(connection, code, person_id, post_id=post_id)

    def consents(self, post_id: int) -> list[Consent]:
        """All that was noted of a case, oldest first."""
        query = curation_rows.SELECT_CONSENT.where(consents.c.post_id == post_id).order_by(consents.c.id)
        with self._database.read() as connection:
            return [
                Consent(row["purpose"], row["granted"], rows.person(row), row["created_at"])
                for row in connection.execute(query).mappings()
            ]

    def confirm(self, draft_id: int, version: int, text_sha256: str, person_id: int) -> None:
        """Note that a person has read the post, this text and the model's draft, and that none of them names anybody.

        Once more changes nothing. Raises StorageError stale_revision (base, latest), draft_unknown (draft_id).
        """
        with self._database.write() as connection:
            _at_text(connection, draft_id, version, text_sha256)
            _state(connection, deidentifications, draft_id, version, text_sha256, person_id, "deidentified")

    def sign(self, draft_id: int, version: int, text_sha256: str, person_id: int) -> None:
        """Stand for an approved text as a second person beside its reviewer. Once more changes nothing.

        Raises:
            StorageError: stale_revision (base, latest), draft_unknown (draft_id); wrong_state (state, action), if it is
                not approved; own_review, for its writers and for who approved it; not_a_reviewer.
        """
        with self._database.write() as connection:
            _at_text(connection, draft_id, version, text_sha256)
            draft = steps.find_draft(connection, draft_id)
            if draft.state != "approved":
                raise StorageError("wrong_state", state=draft.state, action="sign")
            approvers = curation_rows.SELECT_APPROVERS.where(
                reviews.c.draft_id == draft_id, reviews.c.reviewer_id == person_id
            )
            if steps.is_own(connection, draft_id, person_id) or connection.execute(approvers).first():
                raise StorageError("own_review")
            if parts.role_of(connection, person_id) == "counselor":
                raise StorageError("not_a_reviewer")
            _state(connection, signatures, draft_id, version, text_sha256, person_id, "signed")

    # What a post says of danger: the desk reads, the store remembers

    def unread(self, edition: str, limit: int = POSTS_AT_ONCE) -> list[Post]:
        """Posts with an approved text that were not read for signals with this edition of the phrases."""
        query = (
            select(posts)
            .where(
                exists().where(drafts.c.post_id == posts.c.id, drafts.c.state == "approved"),
                ~exists().where(scans.c.post_id == posts.c.id, scans.c.edition == edition),
            )
            .order_by(posts.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Post(row.id, row.title, row.description, row.created_at) for row in connection.execute(query)]

    def note_read(self, edition: str, found: Mapping[int, str | None]) -> None:
        """Keep the urgency that was found in posts, by their ids; None: nothing was. What was found once stays."""
        with self._database.write() as connection:
            # One may have been erased while it was being read.
            there = set(connection.execute(select(posts.c.id).where(posts.c.id.in_(found))).scalars())
            known = set(connection.execute(select(urgencies.c.post_id).where(urgencies.c.post_id.in_(there))).scalars())
            connection.execute(delete(scans).where(scans.c.post_id.in_(there)))
            for post_id in there:
                connection.execute(insert(scans).values(post_id=post_id, edition=edition, created_at=steps.now()))
                if found[post_id] is not None and post_id not in known:
                    connection.execute(insert(urgencies).values(post_id=post_id, urgency=found[post_id]))

    # What may leave

    def candidates(self, edition: str, *, limit: int = 50, after: int = 0) -> list[Candidate]:
        """Approved texts of the next posts after one, by post, each with what is missing before it may leave."""
        with self._database.read() as connection:
            query = _approved_of_next(connection, edition, limit, after)
            return [curation_rows.to_candidate(row) for row in connection.execute(query).mappings()]

    def dossiers(self, edition: str) -> Iterator[Dossier]:
        """Every post with approved texts, whether or not they may leave, by post; each as it stands at one moment.

        Raises:
            StorageError: export_mismatch (draft_id), if a text is not, to the letter, the one that was approved.
        """
        after = 0
        while True:
            with self._database.read() as connection:
                page = _dossiers(connection, edition, after)
            if not page:
                return
            yield from page
            after = page[-1].post.id

    def reviewers(self) -> list[Person]:
        """Who has approved what is approved."""
        approvers = curation_rows.SELECT_APPROVERS.with_only_columns(reviews.c.reviewer_id).order_by(None)
        query = select(people.c.id, people.c.name).where(people.c.id.in_(approvers)).order_by(people.c.id)
        with self._database.read() as connection:
            return [Person(row.id, row.name) for row in connection.execute(query)]

    def leave(self, edition: str, texts: Mapping[int, str]) -> None:
        """Note that texts, by draft, are about to leave; if each may, still and to the letter.

        Args:
            edition: as for `dossiers`.
            texts: the sha256 of each.

        Raises:
            StorageError: export_changed, if one of them no longer may.
        """
        with self._database.write() as connection:
            query = curation_rows.select_leaving(edition)
            may = {
                row["draft_id"]: row
                for row in connection.execute(query).mappings()
                if row["draft_id"] in texts and not curation_rows.missing(row)
            }
            if any(draft_id not in may or may[draft_id]["text_sha256"] != sha for draft_id, sha in texts.items()):
                raise StorageError("export_changed")
            steps.log(connection, "export", count=len(texts))
            moment = steps.now()
            connection.execute(
                insert(audit_events),
                [
                    {
                        "code": "exported",
                        "post_id": row["post_id"],
                        "draft_id": draft_id,
                        "version": row["version"],
                        "created_at": moment,
                    }
                    for draft_id, row in may.items()
                ],
            )


def find_post(connection: Connection, post_id: int) -> Post:
    """One post. Raises StorageError post_unknown (post_id)."""
    row = None
    if 0 < post_id <= steps.LAST_ID:
        row = connection.execute(select(posts).where(posts.c.id == post_id)).first()
    if row is None:
        raise StorageError("post_unknown", post_id=post_id)
    return Post(row.id, row.title, row.description, row.created_at)


def _at_text(connection: Connection, draft_id: int, version: int, sha256: str) -> None:
    draft = steps.draft_at(connection, draft_id, version)
    text = steps.latest_revision(connection, draft)
    if text is None or text.text_sha256 != sha256:
        raise StorageError("stale_revision", base=version, latest=draft.version)


def _state(
    connection: Connection, table: Any, draft_id: int, version: int, sha256: str, person_id: int, code: str
) -> None:
    same = exists().where(table.c.draft_id == draft_id, table.c.version == version, table.c.person_id == person_id)
    if connection.execute(select(same)).scalar():
        return
    steps.add(
        connection,
        table,
        draft_id=draft_id,
        version=version,
        text_sha256=sha256,
        person_id=person_id,
        created_at=steps.now(),
    )
    steps.log(connection, code, person_id, draft_id, version)


def _approved_of_next(connection: Connection, edition: str, limit: int, after: int) -> Any:
    """Of as many posts at most; a post's texts stay together."""
    page = (
        select(drafts.c.post_id)
        .where(drafts.c.state == "approved", drafts.c.post_id > after)
        .distinct()
        .order_by(drafts.c.post_id)
        .limit(limit)
    )
    post_ids = list(connection.execute(page).scalars())
    return curation_rows.select_approved(edition).where(posts.c.id.in_(post_ids))


def _dossiers(connection: Connection, edition: str, after: int) -> list[Dossier]:
    query = _approved_of_next(connection, edition, POSTS_AT_ONCE, after)
    approved = list(connection.execute(query).mappings())
    reviewers: dict[int, list[int]] = defaultdict(list)
    draft_ids = [row["draft_id"] for row in approved]
    for row in connection.execute(curation_rows.SELECT_APPROVERS.where(reviews.c.draft_id.in_(draft_ids))):
        reviewers[row.draft_id].append(row.reviewer_id)
    rejected: dict[int, list[Any]] = defaultdict(list)
    post_ids = list(dict.fromkeys(row["post_id"] for row in approved))
    for text in connection.execute(curation_rows.select_rejected(post_ids)).mappings():
        response = whole(dict(text))
        if response is None or text_sha256(response) != text["text_sha256"]:
            raise StorageError("export_mismatch", draft_id=text["draft_id"])
        rejected[text["post_id"]].append(response)
    return [
        Dossier(
            Post(post_id, first["title"], first["description"], first["post_created_at"]),
            tuple(curation_rows.to_item(row, tuple(reviewers[row["draft_id"]])) for row in (first, *others)),
            tuple(rejected[post_id]),
        )
        for post_id, (first, *others) in groupby(approved, key=lambda row: row["post_id"])
    ]
