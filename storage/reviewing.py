"""From a text that is handed on to a second person's decision, and the approved texts that leave.

Who may decide is settled inside the transaction that does it, and once more by the schema.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, select, update

from app.chain import Response
from storage import assessments, parts, rows, steps
from storage.database import Database
from storage.errors import StorageError
from storage.queue import EVERYTHING, Filter, select_count, select_holders, select_queue, to_queue_item
from storage.records import (
    NOTHING_SAID,
    ApprovedItem,
    Assessment,
    Decision,
    Draft,
    Order,
    Person,
    QueueItem,
    Reason,
    Review,
    Standing,
    View,
    text_sha256,
)
from storage.review_figures import Finding, findings
from storage.review_tables import reasons, submissions, undone_reviews, unfinished_reviews, urgencies
from storage.schema import drafts, lint_overrides, reviews
from storage.states import after, settled

UNDO_S = 10


class Reviewing:
    """The lists of a review, and what moves a text along them. Raises what `Store` does."""

    def __init__(self, database: Database, reviewers: int):
        """Of a database; as many `reviewers` look at each text, none seeing what the others found."""
        self._database = database
        self._reviewers = reviewers

    def handed_on(self, draft_id: int, version: int) -> tuple[Draft, Response]:
        """The draft and the text that `submit` would hand on; raises what it would."""
        with self._database.read() as connection:
            return _handed_on(connection, draft_id, version)

    def submit(
        self, draft_id: int, version: int, person_id: int, *, overridden: Sequence[str] = (), reason: str = ""
    ) -> Draft:
        """Hand the text to a second person. Version 0, the model's own text, becomes revision 1 by who submits it.

        Args:
            draft_id: the draft.
            version: its latest, as the person saw it.
            person_id: who submits.
            overridden: rules of the lint that the text breaks; kept with the reason.
            reason: why it is handed on all the same.

        Raises:
            StorageError: stale_revision (base, latest), wrong_state (state, action), draft_incomplete (draft_id).
        """
        with self._database.write() as connection:
            draft, text = _handed_on(connection, draft_id, version)
            if version == 0:
                version = steps.append_revision(connection, draft, person_id, text, draft.score).version
            if overridden:
                steps.add(
                    connection,
                    lint_overrides,
                    draft_id=draft_id,
                    version=version,
                    text_sha256=text_sha256(text),
                    person_id=person_id,
                    rules=list(overridden),
                    reason=reason,
                    created_at=steps.now(),
                )
                steps.log(connection, "lint_overridden", person_id, draft_id, version, count=len(overridden))
            steps.hand_on(connection, steps.find_draft(connection, draft_id), person_id)
            steps.log(connection, "submitted", person_id, draft_id, version)
            return steps.find_draft(connection, draft_id)

    def queue(
        self,
        view: View,
        person_id: int,
        limit: int = 50,
        offset: int = 0,
        *,
        narrowed: Filter = EVERYTHING,
        order: Order = "urgency",
    ) -> list[QueueItem]:
        """One list as this person sees it."""
        now = steps.now()
        query = select_queue(view, person_id, now, narrowed, order).limit(limit).offset(offset)
        with self._database.read() as connection:
            found = list(connection.execute(query).mappings())
            holders: dict[int, list[Person]] = defaultdict(list)
            for row in connection.execute(select_holders([row["id"] for row in found], person_id, now)).mappings():
                holders[row["draft_id"]].append(rows.person(row))
        return [to_queue_item(row, tuple(holders[row["id"]])) for row in found]

    def counts(self, person_id: int) -> dict[View, int]:
        """How long each list of `queue` is."""
        views: tuple[View, ...] = get_args(View)
        with self._database.read() as connection:
            return {view: connection.execute(select_count(view, person_id)).scalar_one() for view in views}

    def claim(self, draft_id: int, person_id: int) -> None:
        """Take one of a submitted text's seats, or stay on it.

        Raises:
            StorageError: wrong_state (state, action); own_review, not_a_reviewer, lead_needed, already_reviewed;
                claimed (minutes), if all seats are taken.
        """
        with self._database.write() as connection:
            draft = steps.find_draft(connection, draft_id)
            rule = after(parts.standing(connection, draft), "claim")
            parts.require(connection, rule.by, draft, person_id, self._reviewers)

    def release(self, draft_id: int, person_id: int) -> None:
        """Give a seat back, if the person has one."""
        with self._database.write() as connection:
            parts.leave(connection, draft_id, person_id)

    def decide(
        self,
        draft_id: int,
        version: int,
        text_sha256: str,
        reviewer_id: int,
        decision: Decision,
        reason: str,
        assessment: Assessment = NOTHING_SAID,
    ) -> Draft:
        """Record a second person's decision on exactly this text, and what they found. Takes a seat, and leaves it.

        Raises:
            StorageError: stale_revision (base, latest), wrong_state (state, action), reason_missing (every decision but
                approve needs one), and as `claim`.
        """
        with self._database.write() as connection:
            draft = steps.draft_at(connection, draft_id, version)
            text = steps.latest_revision(connection, draft)
            standing = parts.standing(connection, draft)
            rule = after(standing, decision)
            if text is None or text.text_sha256 != text_sha256:
                raise StorageError("stale_revision", base=version, latest=draft.version)
            parts.require(connection, rule.by, draft, reviewer_id, self._reviewers)
            if decision != "approve" and not reason.strip():
                raise StorageError("reason_missing")
            review_id = steps.add(
                connection,
                reviews,
                draft_id=draft_id,
                version=version,
                text_sha256=text_sha256,
                author_id=draft.author.id,
                editor_id=text.person.id,
                reviewer_id=reviewer_id,
                decision=decision,
                reason=reason.strip(),
                created_at=steps.now(),
            )
            assessments.write(connection, review_id, assessment)
            parts.leave(connection, draft_id, reviewer_id)
            connection.execute(delete(unfinished_reviews).where(_kept_of(draft_id, reviewer_id)))
            given = list(parts.decisions(connection, draft).values())
            state = rule.to if standing == "escalated" else settled(given, self._reviewers)
            connection.execute(update(drafts).where(drafts.c.id == draft_id).values(state=state))
            steps.log(connection, f"review_{decision}", reviewer_id, draft_id, version)
            return steps.find_draft(connection, draft_id)

    def keep(self, draft_id: int, version: int, person_id: int, said: Mapping[str, Any]) -> None:
        """Keep what a person has said so far of a version; it goes with their decision."""
        with self._database.write() as connection:
            connection.execute(delete(unfinished_reviews).where(_kept_of(draft_id, person_id)))
            row = {"draft_id": draft_id, "person_id": person_id, "version": version, "said": dict(said)}
            connection.execute(insert(unfinished_reviews).values(row))

    def kept(self, draft_id: int, version: int, person_id: int) -> Mapping[str, Any]:
        """What `keep` has of a person, or nothing."""
        kept = and_(_kept_of(draft_id, person_id), unfinished_reviews.c.version == version)
        query = select(unfinished_reviews.c.said).where(kept)
        with self._database.read() as connection:
            return connection.execute(query).scalar() or {}

    def undo(self, draft_id: int, person_id: int) -> Draft:
        """Take one's last decision on a draft back, within UNDO_S of making it; the text is in review again.

        Raises:
            StorageError: undo_too_late (seconds); nothing_to_undo, if somebody has decided or saved since, or it was
                somebody else's.
        """
        last = rows.SELECT_REVIEW.where(reviews.c.draft_id == draft_id).order_by(reviews.c.id.desc()).limit(1)
        with self._database.write() as connection:
            draft = steps.find_draft(connection, draft_id)
            rule = after(parts.standing(connection, draft), "undo")
            review = connection.execute(last).mappings().first()
            if review is None or (review["reviewer_id"], review["version"]) != (person_id, draft.version):
                raise StorageError("nothing_to_undo")
            if steps.now() - review["created_at"] > timedelta(seconds=UNDO_S):
                raise StorageError("undo_too_late", seconds=UNDO_S)
            steps.add(connection, undone_reviews, review_id=review["id"], created_at=steps.now())
            connection.execute(update(drafts).where(drafts.c.id == draft_id).values(state=rule.to))
            steps.log(connection, "review_undone", person_id, draft_id, draft.version)
            return steps.find_draft(connection, draft_id)

    def reopen(self, draft_id: int, version: int, person_id: int) -> Draft:
        """Take the approval of a text back, so that it can be edited.

        Raises:
            StorageError: stale_revision (base, latest), wrong_state (state, action).
        """
        with self._database.write() as connection:
            draft = steps.draft_at(connection, draft_id, version)
            state = after(parts.standing(connection, draft), "reopen").to
            connection.execute(update(drafts).where(drafts.c.id == draft_id).values(state=state))
            steps.log(connection, "reopened", person_id, draft_id, version)
            return steps.find_draft(connection, draft_id)

    def reviews(self, draft_id: int, *, earlier: bool = False) -> list[Review]:
        """All decisions that stand, oldest first; with `earlier`, those from before the text was last handed on."""
        query = rows.SELECT_REVIEW.where(reviews.c.draft_id == draft_id).order_by(reviews.c.id)
        if earlier:
            last = select(func.max(submissions.c.after_review)).where(submissions.c.draft_id == draft_id)
            query = query.where(reviews.c.id <= last.scalar_subquery())
        with self._database.read() as connection:
            found = list(connection.execute(query).mappings())
            said = assessments.read(connection, [row["id"] for row in found])
        return [rows.to_review(row, said[row["id"]]) for row in found]

    def standing(self, draft_id: int) -> Standing:
        """The draft's state as its people see it. Raises StorageError draft_unknown (draft_id)."""
        with self._database.read() as connection:
            return parts.standing(connection, steps.find_draft(connection, draft_id))

    def findings(self, since: datetime) -> list[Finding]:
        """All reviews from a moment on, for counting agreement and progress."""
        return findings(self._database, since)

    def note_urgency(self, post_id: int, urgency: str) -> None:
        """Keep how soon somebody must act on a post, for the order of the lists; what is kept once, stays."""
        with self._database.write() as connection:
            if not connection.execute(select(exists().where(urgencies.c.post_id == post_id))).scalar():
                connection.execute(insert(urgencies).values(post_id=post_id, urgency=urgency))

    def reasons(self) -> list[Reason]:
        """The centre's list, in the order of its making, with what is no longer offered."""
        with self._database.read() as connection:
            return [Reason(**row) for row in connection.execute(select(reasons).order_by(reasons.c.id)).mappings()]

    def offer_reasons(self, labels: Sequence[str]) -> None:
        """Make the list this one; what is not on it any more stays where it was given."""
        with self._database.write() as connection:
            known = set(connection.execute(select(reasons.c.label)).scalars())
            connection.execute(update(reasons).values(offered=reasons.c.label.in_(labels)))
            for label in dict.fromkeys(labels):
                if label not in known:
                    connection.execute(insert(reasons).values(label=label, offered=True))

    def approved_items(self) -> Iterator[ApprovedItem]:
        """Every approved text, by draft id, as they stand at one moment.

        Raises:
            StorageError: export_mismatch (draft_id), if a text is not, to the letter, the one that was approved.
        """
        with self._database.read() as connection:
            for row in connection.execute(rows.SELECT_APPROVED).mappings():
                item = rows.to_approved_item(row)
                if item is None:
                    raise StorageError("export_mismatch", draft_id=row["draft_id"])
                yield item


def _kept_of(draft_id: int, person_id: int) -> ColumnElement[bool]:
    return and_(unfinished_reviews.c.draft_id == draft_id, unfinished_reviews.c.person_id == person_id)


def _handed_on(connection: Connection, draft_id: int, version: int) -> tuple[Draft, Response]:
    draft = steps.draft_at(connection, draft_id, version)
    after(draft.state, "submit")
    latest = steps.latest_revision(connection, draft)
    text = draft.response if latest is None else latest.response
    if text is None:
        raise StorageError("draft_incomplete", draft_id=draft_id)
    return draft, text
