"""The store: the door to a data folder, and what is kept of people, posts, drafts and revisions.

Texts leave as the records of `storage.records`; ids are plain integers. Who may do what, and when, is decided inside
the transaction that does it, and once more by the schema. What a second person does is in `storage.reviewing`, looking
back in `storage.history`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from sqlalchemy import exists, select, update

from app.chain import SECTIONS, Response
from storage import rows, search, steps
from storage.curation import Curation
from storage.database import Database, make_folder, open_database
from storage.errors import StorageError
from storage.history import History
from storage.migrate import migrate
from storage.ranking import Ranking
from storage.records import (
    Draft,
    Origin,
    Person,
    Post,
    Revision,
    StaleSave,
    StoredScore,
    text_sha256,
)
from storage.retention import Retention
from storage.reviewing import Reviewing
from storage.schema import checklists, drafts, people, revisions, stale_saves
from storage.states import after


class Store:
    """One data folder. Safe to share between threads.

    Every method is one transaction; what it returned from is on disk. Every method may raise StorageError disk_full,
    database_locked, database_corrupt, folder_read_only (folder), text_not_storable (a NUL or a lone surrogate), and of
    a server database_unreachable (server), after which a write may have arrived or not, and database_denied (server).
    """

    def __init__(self, database: Database, reviewers: int = 1):
        self._database = database
        self.history = History(database)
        self.reviewing = Reviewing(database, reviewers)
        self.ranking = Ranking(database)
        self.curation = Curation(database)
        self.retention = Retention(database)

    @classmethod
    def open(
        cls, data_dir: Path, database_url: str | None = None, *, beside_desk: bool = False, reviewers: int = 1
    ) -> Store:
        """Open or create the database in `data_dir`; bring its schema up to date after a verified backup copy.

        With a `database_url` (`postgresql://…`) a server has the data and the folder only the copies.

        Drafts still `running` become `interrupted`, their partial text kept; unless `beside_desk`: then another process
        is the desk and may be drafting (the export verb); or unless other desks have the server's database open. As
        many `reviewers` decide on each text.

        Raises:
            StorageError: newer_schema (found, known), database_foreign, database_url_invalid, database_not_utf8,
                database_driver_missing, backup_tool_missing (tool), backup_failed (tool, exit), and as every method.
        """
        make_folder(data_dir)
        database = open_database(data_dir, database_url)
        try:
            database.check()
            migrate(database)
            store = cls(database, reviewers)
            if not beside_desk:
                with database.joining() as alone:
                    if alone:
                        store._interrupt_running()
        except BaseException:
            database.close()
            raise
        return store

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._database.folder

    def close(self) -> None:
        """Release the database file."""
        self._database.close()

    def _interrupt_running(self) -> None:
        with self._database.write() as connection:
            steps.interrupt_running(connection)

    # People, posts, drafts

    def person(self, name: str) -> Person:
        """The person of that name, made known if new. Case makes no second person: the first spelling stays."""
        key = name.casefold()
        find = select(people.c.id, people.c.name).where(people.c.key == key)
        with self._database.read() as connection:
            known = connection.execute(find).first()
        if known is None:
            with self._database.write() as connection:
                steps.add_new(connection, people, name=name, key=key, created_at=steps.now())
                known = connection.execute(find).one()
        return Person(known.id, known.name)

    def add_post(self, title: str, description: str, author_id: int) -> Post:
        """Keep a cleaned post."""
        with self._database.write() as connection:
            return steps.add_post(connection, title, description, author_id)

    def release(self, post_id: int, person_id: int) -> None:
        """Note that a person went through the checklist of a post; once more changes nothing."""
        row = {"post_id": post_id, "person_id": person_id, "created_at": steps.now()}
        with self._database.write() as connection:
            if steps.add_new(connection, checklists, **row):
                steps.log(connection, "checklist_done", person_id, post_id=post_id)

    def released(self, post_id: int) -> bool:
        """Whether anybody went through it, so that the drafts of this post need not wait."""
        with self._database.read() as connection:
            return bool(connection.execute(select(exists().where(checklists.c.post_id == post_id))).scalar())

    def start_drafts(
        self,
        post_id: int,
        author_id: int,
        *,
        model_name: str,
        model_sha256: str,
        samplings: Sequence[Mapping[str, int | float]],
        origin: Origin | None = None,
        kept: Mapping[str, str] | None = None,
    ) -> list[Draft]:
        """The candidates of a request, which begin to run now with this process's prompt and format versions.

        Args:
            post_id: what is answered.
            author_id: who asked.
            model_name: what writes.
            model_sha256: exactly.
            samplings: one a candidate, each with its `seed`.
            origin: how the request came about; None: a new draft of the post.
            kept: sections that stand already.
        """
        with self._database.write() as connection:
            ids = steps.add_request(
                connection,
                post_id,
                author_id,
                origin or Origin(),
                samplings,
                model_name=model_name,
                model_sha256=model_sha256,
                status="running",
                timings={},
                **_known(kept or {}),
            )
            for draft_id in ids:
                steps.log(connection, "draft_started", author_id, draft_id)
            return [steps.find_draft(connection, draft_id) for draft_id in ids]

    def save_progress(self, written: Mapping[int, Mapping[str, str]]) -> None:
        """Keep the sections written so far of running drafts, by their ids; cheap, meant for twice a second."""
        with self._database.write() as connection:
            for draft_id, sections in written.items():
                # The status too: a second desk, opened by mistake, may have called this draft interrupted.
                connection.execute(
                    update(drafts)
                    .where(drafts.c.id == draft_id, drafts.c.status.in_(("running", "interrupted")))
                    .values(status="running", finished_at=None, **_known(sections))
                )

    def finish_draft(
        self,
        draft_id: int,
        status: Literal["done", "stopped", "failed"],
        sections: Mapping[str, str],
        *,
        timings: Mapping[str, int | float] | None = None,
        score: StoredScore | None = None,
        error_code: str | None = None,
    ) -> Draft:
        """End the job with its last sections."""
        with self._database.write() as connection:
            connection.execute(
                update(drafts)
                .where(drafts.c.id == draft_id)
                .values(
                    status=status,
                    error_code=error_code,
                    timings=dict(timings or {}),
                    finished_at=steps.now(),
                    **_known(sections),
                    **rows.score_values(score),
                )
            )
            draft = steps.find_draft(connection, draft_id)
            search.index(connection, draft.post.id)
            steps.log(connection, f"draft_{status}", draft.author.id, draft_id)
            return draft

    def draft(self, draft_id: int) -> Draft:
        """One draft. Raises StorageError draft_unknown (draft_id)."""
        with self._database.read() as connection:
            return steps.find_draft(connection, draft_id)

    def candidates(self, draft_id: int) -> list[Draft]:
        """All drafts of a draft's request, in order. Raises StorageError draft_unknown (draft_id)."""
        with self._database.read() as connection:
            draft = steps.find_draft(connection, draft_id)
            query = rows.SELECT_DRAFT.where(drafts.c.request_id == draft.request_id).order_by(drafts.c.candidate)
            return [rows.to_draft(row) for row in connection.execute(query).mappings()]

    def latest_draft_of(self, person_id: int) -> Draft | None:
        """What a page re-attaches to after a reload."""
        return next(iter(self.recent_drafts(person_id, limit=1)), None)

    def recent_drafts(self, person_id: int, limit: int = 20) -> list[Draft]:
        """A person's own requests, newest first: of its candidates the one somebody worked on, else the best."""
        with self._database.read() as connection:
            return [rows.to_draft(row) for row in connection.execute(rows.select_recent(person_id, limit)).mappings()]

    def add_submitted(
        self,
        title: str,
        description: str,
        response: Response,
        author_id: int,
        *,
        model_name: str,
        model_sha256: str,
    ) -> bool:
        """Put a post with a whole response, written elsewhere, straight into the review queue, as `author_id`'s.

        Returns:
            False, and nothing is added, if this author's queue already got the same text for the same post.
        """
        with self._database.write() as connection:
            if connection.execute(rows.select_same(author_id, title, description, text_sha256(response))).first():
                return False
            steps.add_submitted(
                connection,
                title,
                description,
                response,
                author_id,
                model_name=model_name,
                model_sha256=model_sha256,
            )
        return True

    # Revisions, and what was decided on them

    def save_revision(
        self,
        draft_id: int,
        base_version: int,
        person_id: int,
        response: Response,
        score: StoredScore | None = None,
    ) -> Revision:
        """Append a person's text. The same text as the latest revision makes no new version: that one is returned.

        `base_version` is the version the person began from; 0 is the model's draft. A rejected draft is open again
        afterwards; a returned one stays returned.

        Raises:
            StorageError: wrong_state (state, action) for a submitted or approved draft, or stale_revision
                (base, latest); the refused text is then in `stale_saves`.
        """
        sha256 = text_sha256(response)
        with self._database.write() as connection:
            draft = steps.find_draft(connection, draft_id)
            latest = steps.latest_revision(connection, draft)
            if latest is not None and latest.text_sha256 == sha256:
                return latest
            refusal = _refusal(draft, base_version)
            if refusal is None:
                return steps.append_revision(connection, draft, person_id, response, score)
            text = dict(response.parts(), text_sha256=sha256, created_at=steps.now())
            row = {"draft_id": draft_id, "base_version": base_version, "person_id": person_id, **text}
            steps.add_new(connection, stale_saves, **row)
            steps.log(connection, "save_refused", person_id, draft_id, draft.version)
        # Only now: raised any earlier, it would roll the kept text back.
        raise refusal

    def latest_revision(self, draft_id: int) -> Revision | None:
        """The text that counts, or None while only the model has written."""
        with self._database.read() as connection:
            return steps.latest_revision(connection, steps.find_draft(connection, draft_id))

    def revisions(self, draft_id: int) -> list[Revision]:
        """All versions, oldest first."""
        query = rows.SELECT_REVISION.where(revisions.c.draft_id == draft_id).order_by(revisions.c.version)
        with self._database.read() as connection:
            return [rows.to_revision(row) for row in connection.execute(query).mappings()]

    def stale_saves(self, draft_id: int) -> list[StaleSave]:
        """Texts whose save was refused, oldest first."""
        query = rows.SELECT_STALE_SAVE.where(stale_saves.c.draft_id == draft_id).order_by(stale_saves.c.id)
        with self._database.read() as connection:
            return [rows.to_stale_save(row) for row in connection.execute(query).mappings()]


def _refusal(draft: Draft, base_version: int) -> StorageError | None:
    """Why a text that began from `base_version` cannot become the next revision."""
    try:
        after(draft.state, "save")
    except StorageError as error:
        return error
    if draft.version != base_version:
        return StorageError("stale_revision", base=base_version, latest=draft.version)
    return None


def _known(sections: Mapping[str, str]) -> dict[str, str]:
    return {name: sections[name] for name in SECTIONS if name in sections}
