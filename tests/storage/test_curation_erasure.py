"""The end of a case: nothing of it in any file, everything else untouched, and numbers that are not given again."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import exc
from sqlalchemy import text as sql

from app.chain import Response
from storage import erasing, sqlite
from storage.errors import StorageError
from storage.records import Assessment, Comment, Origin
from storage.schema import metadata
from storage.store import Store
from tests.curated import AUTHOR, EDITION, REVIEWER, SECOND, add_draft, let_leave
from tests.drafts import start_draft

NAMES = (AUTHOR, REVIEWER, SECOND)
OF_ROUNDS = {"ranking_items", "ranking_answers", "rankings"}
"""Tables of blind ranking, whose tests erase a case that stands in a round."""
HAN = [chr(code) for code in range(0x4E00, 0x9F00)]


def prose(rng: random.Random, length: int) -> str:
    """Characters of no meaning, of which hardly two texts share a sequence of three."""
    return "".join(rng.choices(HAN, k=length))


class Case:
    """A case with a row in every table that cases have rows in, and all of its texts."""

    def __init__(self, store: Store, people, seed: int):
        rng = random.Random(seed)
        self.texts: list[str] = []

        def words(length: int) -> str:
            self.texts.append(prose(rng, length))
            return self.texts[-1]

        def response() -> Response:
            return Response(*(words(rng.randrange(60, 700)) for _ in range(5)))

        draft = add_draft(store, words(20), words(rng.randrange(300, 6000)), response())
        self.post_id, self.draft_id = draft.post.id, draft.id
        author, reviewer = people.author.id, people.reviewer.id
        store.release(self.post_id, author)
        store.save_revision(draft.id, 0, author, response())
        with pytest.raises(StorageError):
            store.save_revision(draft.id, 0, people.other.id, response())
        revision = store.save_revision(draft.id, 1, author, response())
        store.reviewing.submit(draft.id, 2, author, overridden=["blame"], reason=words(30))
        store.reviewing.offer_reasons(["语气"])
        [reason] = store.reviewing.reasons()
        said = Assessment(
            {"L1": "change"},
            {"fluency": 3},
            (Comment("L1", words(40), self.texts[2][:9]),),
            (reason.id,),
        )
        store.reviewing.decide(draft.id, 2, revision.text_sha256, reviewer, "reject", words(50), said)
        store.reviewing.undo(draft.id, reviewer)
        store.reviewing.decide(draft.id, 2, revision.text_sha256, reviewer, "approve", words(20))
        let_leave(store, draft.id)
        store.curation.note_read(EDITION, {self.post_id: "act_now"})
        store.curation.sign(draft.id, 2, revision.text_sha256, people.other.id)
        store.curation.leave(EDITION, {draft.id: revision.text_sha256})
        store.retention.hold(self.post_id, True, words(30), author)
        store.retention.hold(self.post_id, False, words(30), author)
        store.start_drafts(
            self.post_id,
            author,
            model_name="m",
            model_sha256="0" * 64,
            samplings=[{"seed": 1}],
            origin=Origin(parent_id=draft.id, from_section="L3"),
            kept={"L1": words(90)},
        )
        (redraft,) = store.recent_drafts(author, 1)
        store.finish_draft(redraft.id, "stopped", {"L1": self.texts[-1]})
        store.save_revision(redraft.id, 0, author, response())
        store.reviewing.submit(redraft.id, 1, author)
        store.reviewing.claim(redraft.id, reviewer)
        store.reviewing.keep(redraft.id, 1, reviewer, {"comment": words(40)})


def in_files(folder: Path) -> str:
    """Every stretch of Chinese in the files of a folder, parted by spaces."""
    runs = re.compile(rb"(?:[\xe4-\xe9][\x80-\xbf]{2})+")
    data = b" ".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return " ".join(run.decode("utf-8", "ignore") for run in runs.findall(data))


def stretches(texts: list[str], length: int = 4) -> set[str]:
    return {text[at : at + length] for text in texts for at in range(len(text) - length + 1)}


@pytest.fixture
def counts(raw):
    tables = [table.name for table in metadata.sorted_tables]
    return lambda: {name: raw.execute(sql(f"SELECT count(*) FROM {name}")).scalar() for name in tables}


def test_a_case_goes_with_every_row_and_leaves_its_audit_trail(store, people, raw, counts):
    Case(store, people, 1)
    before = counts()
    case = Case(store, people, 2)
    filled = counts()
    # The case has a row in every table that cases have rows in, so that none is forgotten below.
    of_cases = {table.name for table in erasing.of_cases()}
    assert {name for name in of_cases if filled[name] == before[name]} <= OF_ROUNDS
    trail = "SELECT * FROM audit_events WHERE code <> 'case_erased' ORDER BY id"
    said = raw.execute(sql(trail)).all()
    erased = store.retention.erase(case.post_id, "asked", people.author.id)
    after = counts()
    assert {name: after[name] for name in of_cases} == {name: before[name] for name in of_cases}
    assert erased.rows == sum(filled[name] - before[name] for name in of_cases)
    assert erased.exports == 1
    assert after["erasures"] == 1 and raw.execute(sql(trail)).all() == said
    assert store.history.cases(case.texts[1][:4]) == []
    row = raw.execute(sql("SELECT post_id, reason, person_id FROM erasures")).one()
    assert tuple(row) == (case.post_id, "asked", people.author.id)


def test_the_numbers_of_an_erased_case_are_not_given_again(store, people, text):
    case = Case(store, people, 1)
    newest = store.recent_drafts(people.author.id, 1)[0].id
    store.retention.erase(case.post_id, "mistake", people.author.id)
    draft = add_draft(store, "", "另一封信", text("一"))
    assert draft.post.id > case.post_id and draft.id > newest
    with pytest.raises(StorageError) as refused:
        store.save_revision(case.draft_id, 2, people.author.id, text("迟到"))
    assert refused.value.code == "draft_unknown"
    # Its row lets go of nothing else.
    assert store.draft(draft.id).post == draft.post


@pytest.mark.parametrize("journal", ["as_set", "WAL"])
def test_no_file_holds_a_byte_of_an_erased_case(tmp_path, monkeypatch, journal):
    if journal == "WAL":
        others = tuple(pragma for pragma in sqlite.PRAGMAS if "journal_mode" not in pragma)
        monkeypatch.setattr(sqlite, "PRAGMAS", (*others, "journal_mode=WAL"))
    folder = tmp_path / "data"
    store = Store.open(folder)
    people = SimpleNamespace(**dict(zip(("author", "reviewer", "other"), map(store.person, NAMES), strict=True)))
    rng = random.Random(0)
    cases = [Case(store, people, seed) for seed in range(9)]
    kept, gone = cases[::3], [case for case in cases if case not in cases[::3]]
    assert stretches(gone[0].texts) & stretches([in_files(folder)])
    rng.shuffle(gone)
    for number, case in enumerate(gone):
        erased = store.retention.erase(case.post_id, "asked", people.author.id)
        assert (erased.unreached, erased.backups) == (None, ())
        assert not stretches(case.texts) & stretches(in_files(folder).split())
        if number == 3:
            kept.append(Case(store, people, 99))
    for case in kept:
        assert store.draft(case.draft_id).post.description == case.texts[1]
        assert [found.post_id for found in store.history.cases(case.texts[1][10:14])] == [case.post_id]
        store.retention.erase(case.post_id, "asked", people.author.id)
    # Now not even a single character is left, in the index of texts either, which holds them in threes.
    said = "".join(store.person(name).name for name in NAMES) + "".join(one.label for one in store.reviewing.reasons())
    assert set(in_files(folder)) - set(said) <= {" "}
    store.close()


def test_copies_that_may_hold_the_case_are_named(tmp_path, store, people, database_url):
    case = Case(store, people, 1)
    backups = tmp_path / "data" / "backups"
    backups.mkdir(exist_ok=True)
    (backups / "today.sqlite3").write_bytes(b"")
    erased = store.retention.erase(case.post_id, "asked", people.author.id)
    assert backups / "today.sqlite3" in erased.backups
    assert erased.unreached == ("server" if database_url else None)


def test_a_case_on_hold_stays_until_it_is_released(store, people, raw):
    case = Case(store, people, 1)
    erase = (case.post_id, "retention", people.author.id)
    store.retention.hold(case.post_id, True, "投诉尚未结束", people.reviewer.id)
    with pytest.raises(StorageError) as refused:
        store.retention.erase(*erase)
    assert refused.value.code == "case_held"
    with pytest.raises(exc.DBAPIError, match="on hold"):
        raw.execute(
            sql("INSERT INTO erasures (post_id, reason, person_id, created_at) VALUES (:post, 'asked', 1, '')"),
            {"post": case.post_id},
        )
    assert store.draft(case.draft_id).post.id == case.post_id
    store.retention.hold(case.post_id, False, "已结束", people.reviewer.id)
    store.retention.erase(*erase)


def test_a_case_for_which_a_model_writes_is_not_erased(store, people, text):
    post = store.add_post("", "信", people.author.id)
    draft = start_draft(store, post.id, people.author.id)
    with pytest.raises(StorageError) as refused:
        store.retention.erase(post.id, "asked", people.author.id)
    assert refused.value.code == "case_running"
    store.finish_draft(draft.id, "done", text("一").parts())
    assert store.retention.erase(post.id, "asked", people.author.id).exports == 0
    with pytest.raises(StorageError) as refused:
        store.retention.erase(post.id, "asked", people.author.id)
    assert refused.value.code == "post_unknown"


def test_due_is_what_nobody_wrote_to_since(store, people, text):
    first, second = (add_draft(store, "", name, text("一")) for name in ("旧", "新"))
    moment = datetime.now(UTC)
    store.save_revision(second.id, 0, people.author.id, text("二"))
    store.retention.hold(first.post.id, True, "投诉", people.author.id)
    (due,) = store.retention.due(moment)
    assert (due.post.id, due.hold.reason) == (first.post.id, "投诉")
    assert due.last_at == store.draft(first.id).created_at
    assert store.retention.due(first.post.created_at) == []
    assert [case.post.id for case in store.retention.due(moment + timedelta(days=1))] == [first.post.id, second.post.id]


def test_a_hold_needs_a_reason(store, people):
    post = store.add_post("", "信", people.author.id)
    with pytest.raises(StorageError) as refused:
        store.retention.hold(post.id, True, "  ", people.author.id)
    assert refused.value.code == "reason_missing"
