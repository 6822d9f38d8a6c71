"""The history: any stretch of any text finds its case, a case opens where it was left, every version is listed."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.chain import Response
from storage.errors import StorageError
from storage.records import Origin, StoredScore
from storage.store import Store
from tests.drafts import start_draft


@pytest.fixture
def begin(store, people):
    """Starts a request on a post; its drafts run."""

    def start(post_id: int, candidates: int = 1, **values: object):
        return store.start_drafts(
            post_id,
            people.author.id,
            model_name="tiny",
            model_sha256="0" * 64,
            samplings=[{"seed": seed} for seed in range(candidates)],
            **values,
        )

    return start


def found(store: Store, words: str) -> list[str]:
    return [case.title for case in store.history.cases(words)]


TEXT = 'Hello 世界，他说"别走"，我 100% 不*想*走_了\\（真的）…再也不想加班'


@pytest.fixture
def posts(store, people, begin):
    """Two cases; the texts of one stand in its post."""
    for title, description in (("一", TEXT), ("二", "别的事")):
        begin(store.add_post(title, description, people.author.id).id)


@pytest.mark.parametrize(
    "words",
    [
        *("加班", "不想加班", "再也不", "加", "班"),
        *("hello", "HELLO", "Hel", "he", "h", "lo 世"),
        *('"别走"', '"', '说"', "100%", "0%", "%", "不*想*走", "*想", "*", "走_了", "_", "\\", "了\\（", "（真", "…"),
        *("加班 hello", "he 加班 *", "  世界\n别走\t"),
    ],
)
def test_every_stretch_of_a_post_finds_it_and_nothing_else(store, posts, words):
    assert found(store, words) == ["一"]


@pytest.mark.parametrize(
    "words",
    [
        "加班班",
        "班加",
        "龥",
        "zz",
        "0%%",
        "100_",
        "_%",
        "他%走",
        "他*",
        "NOT 加班龥",
        '" OR "',
        "别走 龥",
        "title:一",
        "^Hello",
    ],
)
def test_what_stands_nowhere_finds_nothing_whatever_it_means_to_a_search_engine(store, posts, words):
    assert found(store, words) == []


def test_no_words_find_everything_newest_first_and_page_by_page(store, people, begin):
    for number in range(5):
        begin(store.add_post(str(number), "信", people.author.id).id)
    assert found(store, " \n") == ["4", "3", "2", "1", "0"]
    first = store.history.cases(limit=2)
    second = store.history.cases("信", limit=2, before=first[-1].post_id)
    assert [case.title for case in [*first, *second]] == ["4", "3", "2", "1"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet='累加班aÉéß"%*_\\ \n，', min_size=1, max_size=12), data=st.data())
def test_any_stretch_of_any_text_is_found(store, people, begin, text, data):
    text = unicodedata.normalize("NFC", f"x{text}x")
    post = store.add_post("", text, people.author.id)
    begin(post.id)
    start = data.draw(st.integers(0, len(text) - 1))
    stretch = text[start : data.draw(st.integers(start + 1, len(text)))]
    assert post.id in [case.post_id for case in store.history.cases(stretch, limit=1000)]


def test_words_that_cannot_be_stored_cannot_be_looked_for(store):
    for words in ("\0", "加\0班", "\ud800"):
        with pytest.raises(StorageError) as refused:
            store.history.cases(words)
        assert refused.value.code == "text_not_storable"


def test_what_a_model_wrote_and_what_a_person_saved_last_is_found(store, people, begin):
    (draft,) = begin(store.add_post("题", "信", people.author.id).id)
    store.save_progress({draft.id: {"L1": "还在写的"}})
    assert found(store, "还在写的") == []
    store.finish_draft(draft.id, "done", Response("甲一", "甲二", "甲三", "甲四", "模型写的回信").parts())
    store.save_revision(draft.id, 0, people.author.id, Response("甲一", "甲二", "甲三", "甲四", "第一次改的"))
    store.save_revision(draft.id, 1, people.author.id, Response("甲一", "甲二", "甲三", "甲四", "第二次改的"))
    assert found(store, "模型写的回信") == found(store, "第二次改的") == found(store, "甲三") == ["题"]
    assert found(store, "信 甲四 第二次") == ["题"]
    assert found(store, "第一次改的") == []


def test_a_draft_that_was_interrupted_and_one_that_was_imported_are_found(open_store):
    store = open_store()
    author = store.person("作者")
    post = store.add_post("断", "信", author.id)
    draft = start_draft(store, post.id, author.id)
    store.save_progress({draft.id: {"L1": "写了一半"}})
    response = Response("一", "二", "三", "四", "别处写的回信")
    assert store.add_submitted("进", "信", response, author.id, model_name="m", model_sha256="0")
    store.close()
    again = open_store()
    assert found(again, "写了一半") == ["断"] and found(again, "别处写的") == ["进"]


def test_a_case_opens_where_it_was_left(store, people, begin, text):
    post = store.add_post("题", "信", people.author.id)
    drafts = begin(post.id, 3)
    for draft, cosine in zip(drafts, (0.1, 0.7, 0.4), strict=True):
        score = StoredScore(cosine, True, 50.0, "f" * 64)
        store.finish_draft(draft.id, "done", text(f"回信 {cosine}").parts(), score=score)
    (case,) = store.history.cases()
    assert (case.draft_id, case.drafts, case.version, case.state) == (drafts[1].id, 3, 0, "open")
    store.save_revision(drafts[2].id, 0, people.other.id, text("改过"))
    (case,) = store.history.cases()
    assert (case.draft_id, case.version) == (drafts[2].id, 1)
    (redraft,) = begin(post.id, origin=Origin(drafts[2].id, "answer"), kept={"L1": "一"})
    (case,) = store.history.cases()
    assert (case.draft_id, case.drafts, case.status) == (redraft.id, 4, "running")
    store.save_revision(drafts[0].id, 0, people.author.id, text("回到第一个"))
    assert store.history.cases()[0].draft_id == drafts[0].id


def test_cases_are_filtered_by_the_draft_at_which_they_were_left_and_by_date(store, people, new_draft, text):
    opened, submitted = new_draft(), new_draft()
    store.reviewing.submit(submitted.id, 0, people.author.id)
    history = store.history
    assert [case.draft_id for case in history.cases(state="submitted")] == [submitted.id]
    assert [case.draft_id for case in history.cases(state="open")] == [opened.id]
    assert history.cases("加班", state="approved") == []
    assert len(history.cases(author_id=people.author.id)) == 2
    assert history.cases(author_id=people.other.id) == []
    moment = history.cases()[-1].created_at
    assert len(history.cases(since=moment)) == 2
    assert [case.draft_id for case in history.cases(until=moment + timedelta(microseconds=1))] == [opened.id]
    assert history.cases(since=datetime.now(UTC) + timedelta(days=1)) == []
    # A later draft of the same post is another state of the same case.
    start_draft(store, submitted.post.id, people.author.id)
    assert history.cases(state="submitted") == []


def test_versions_are_listed_newest_first_and_an_older_one_can_be_saved_again(store, people, new_draft, text):
    draft = new_draft()
    first = store.save_revision(draft.id, 0, people.author.id, text("一"))
    second = store.save_revision(draft.id, 1, people.other.id, text("二"))
    versions = store.history.versions(draft.id)
    assert [(each.version, each.person, each.created_at) for each in versions] == [
        (2, people.other, second.created_at),
        (1, people.author, first.created_at),
    ]
    assert store.history.revision(draft.id, 1) == first
    assert store.history.revision(draft.id, 3) is None
    undone = store.save_revision(draft.id, 2, people.author.id, first.response)
    assert (undone.version, undone.response) == (3, first.response)
    assert store.revisions(draft.id) == [first, second, undone]
