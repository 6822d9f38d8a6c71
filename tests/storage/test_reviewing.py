"""Several reviewers of one text: seats, blindness to each other, disagreement, undoing, and what they say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from storage import reviewing, steps
from storage.errors import StorageError
from storage.parts import CLAIM_MINUTES
from storage.queue import Filter
from storage.records import Assessment, Comment, StoredScore
from storage.states import CHANGES, settled


@pytest.fixture
def submitted(store, people, new_draft):
    """Makes drafts of the author that wait for a review."""
    return lambda: store.reviewing.submit(new_draft().id, 0, people.author.id)


@pytest.fixture
def decide(store):
    """Decides on the latest text of a draft."""

    def act(draft_id, person, decision="approve", said=None):
        text = store.latest_revision(draft_id)
        return store.reviewing.decide(
            draft_id, text.version, text.text_sha256, person.id, decision, "理由", said or Assessment()
        )

    return act


@pytest.fixture
def later(monkeypatch):
    """Lets the store's clock go on."""

    def go_on(time: timedelta) -> None:
        now = steps.now() + time
        monkeypatch.setattr(steps, "now", lambda: now)

    return go_on


@pytest.fixture
def two(store, people):
    """The same folder, where two reviewers look at each text."""
    store.reviewing = reviewing.Reviewing(store._database, 2)
    return store


def refused(call, *values):
    with pytest.raises(StorageError) as error:
        call(*values)
    return error.value.code


@pytest.mark.parametrize(
    ("decisions", "reviewers", "state"),
    [
        (["approve"], 1, "approved"),
        (["return"], 1, "returned"),
        (["escalate"], 1, "submitted"),
        (["approve"], 2, "submitted"),
        (["approve", "approve"], 2, "approved"),
        (["reject", "reject"], 2, "rejected"),
        (["approve", "return"], 2, "submitted"),
        (["return", "reject"], 2, "submitted"),
        (["escalate", "escalate"], 2, "submitted"),
    ],
)
def test_where_decisions_lead(decisions, reviewers, state):
    assert settled(decisions, reviewers) == state


def test_one_seat_one_reviewer_until_it_is_given_back_or_its_time_is_over(store, people, submitted, later):
    draft = submitted()
    store.reviewing.claim(draft.id, people.reviewer.id)
    store.reviewing.claim(draft.id, people.reviewer.id)  # the page says it again while it is open
    assert store.reviewing.standing(draft.id) == "claimed"
    with pytest.raises(StorageError) as taken:
        store.reviewing.claim(draft.id, people.other.id)
    assert (taken.value.code, taken.value.values) == ("claimed", {"minutes": CLAIM_MINUTES})
    (line,) = store.reviewing.queue("to_review", people.other.id)
    assert (line.standing, line.holders) == ("claimed", (people.reviewer,))
    (line,) = store.reviewing.queue("to_review", people.reviewer.id)
    assert line.holders == ()
    store.reviewing.release(draft.id, people.reviewer.id)
    store.reviewing.claim(draft.id, people.other.id)
    assert refused(store.reviewing.claim, draft.id, people.reviewer.id) == "claimed"
    later(timedelta(minutes=CLAIM_MINUTES))
    assert store.reviewing.standing(draft.id) == "submitted"
    store.reviewing.claim(draft.id, people.reviewer.id)


def test_who_holds_no_seat_does_not_decide_and_a_decision_frees_it(store, people, submitted, decide):
    draft = submitted()
    store.reviewing.claim(draft.id, people.reviewer.id)
    assert refused(decide, draft.id, people.other) == "claimed"
    assert refused(store.reviewing.claim, draft.id, people.author.id) == "own_review"
    assert decide(draft.id, people.reviewer, "return").state == "returned"
    assert refused(store.reviewing.claim, draft.id, people.other.id) == "wrong_state"
    store.reviewing.submit(draft.id, 1, people.author.id)
    store.reviewing.claim(draft.id, people.other.id)


def test_two_reviewers_have_a_seat_each_and_both_must_agree(two, people, submitted, decide):
    draft = submitted()
    two.reviewing.claim(draft.id, people.reviewer.id)
    two.reviewing.claim(draft.id, people.other.id)
    third = two.person("又一人")
    assert refused(two.reviewing.claim, draft.id, third.id) == "claimed"
    assert decide(draft.id, people.reviewer).state == "submitted"
    assert refused(decide, draft.id, people.reviewer) == "already_reviewed"
    assert two.reviewing.queue("to_review", people.reviewer.id) == []
    assert refused(two.reviewing.claim, draft.id, third.id) == "claimed"  # one has decided, the other sits
    assert decide(draft.id, people.other).state == "approved"
    assert len(list(two.reviewing.approved_items())) == 1


def test_a_disagreement_waits_for_somebody_senior(two, people, submitted, decide):
    draft = submitted()
    decide(draft.id, people.reviewer, "approve")
    assert decide(draft.id, people.other, "return").state == "submitted"
    assert two.reviewing.standing(draft.id) == "escalated"
    third = two.person("又一人")
    (line,) = two.reviewing.queue("disagreement", third.id)
    assert line.draft_id == draft.id
    assert decide(draft.id, third, "approve").state == "approved"
    assert two.reviewing.counts(third.id)["disagreement"] == 0


def test_a_text_that_comes_back_unchanged_is_reviewed_anew(two, people, submitted, decide):
    draft = submitted()
    decide(draft.id, people.reviewer, "return")
    decide(draft.id, people.other, "return")
    two.reviewing.submit(draft.id, 1, people.author.id)
    assert two.reviewing.standing(draft.id) == "submitted"
    decide(draft.id, people.reviewer)
    assert decide(draft.id, people.other).state == "approved"


def test_a_decision_is_taken_back_within_ten_seconds_by_who_made_it(store, people, submitted, decide, later):
    draft = submitted()
    decide(draft.id, people.reviewer, "reject")
    assert refused(store.reviewing.undo, draft.id, people.other.id) == "nothing_to_undo"
    assert store.reviewing.undo(draft.id, people.reviewer.id).state == "submitted"
    assert store.reviewing.reviews(draft.id) == []
    assert refused(store.reviewing.undo, draft.id, people.reviewer.id) == "nothing_to_undo"
    assert decide(draft.id, people.reviewer).state == "approved"
    store.reviewing.undo(draft.id, people.reviewer.id)
    assert list(store.reviewing.approved_items()) == []
    decide(draft.id, people.reviewer)
    later(timedelta(seconds=reviewing.UNDO_S + 1))
    assert refused(store.reviewing.undo, draft.id, people.reviewer.id) == "undo_too_late"
    assert store.draft(draft.id).state == "approved"


def test_nothing_is_taken_back_that_somebody_has_built_on(store, people, submitted, decide, text):
    draft = submitted()
    decide(draft.id, people.reviewer, "return")
    store.save_revision(draft.id, 1, people.author.id, text("改过"))
    assert refused(store.reviewing.undo, draft.id, people.reviewer.id) == "nothing_to_undo"
    assert store.draft(draft.id).state == "returned"
    store.reviewing.submit(draft.id, 2, people.author.id)
    assert refused(store.reviewing.undo, draft.id, people.reviewer.id) == "nothing_to_undo"


def test_an_approval_taken_back_for_an_edit_leaves_nothing_to_export(store, people, submitted, decide, text):
    draft = submitted()
    decide(draft.id, people.reviewer)
    assert store.reviewing.reopen(draft.id, 1, people.author.id).state == "open"
    assert list(store.reviewing.approved_items()) == []
    store.save_revision(draft.id, 1, people.author.id, text("再改"))
    store.reviewing.submit(draft.id, 2, people.author.id)
    decide(draft.id, people.reviewer)
    assert [item.response.answer for item in store.reviewing.approved_items()] == ["再改"]


def test_what_a_reviewer_says_comes_back_whole(store, people, submitted, decide):
    store.reviewing.offer_reasons(["太快给建议", "没有回应情绪"])
    first, second = store.reviewing.reasons()
    said = Assessment(
        verdicts={"L1": "keep", "L4": "change", "answer": "wrong"},
        ratings={"fluency": 4, "comforting": 2},
        comments=(Comment("L4", "先问清楚", "多运动"), Comment("answer", "语气太硬")),
        reasons=(second.id, first.id, second.id),
    )
    draft = submitted()
    decide(draft.id, people.reviewer, "return", said)
    (review,) = store.reviewing.reviews(draft.id)
    assert review.assessment == Assessment(said.verdicts, said.ratings, said.comments, (first.id, second.id))


def test_what_a_reviewer_has_typed_is_kept_until_they_decide(store, people, submitted, decide):
    draft = submitted()
    said = {"reason": "还没写完", "verdicts": {"L1": "keep"}}
    store.reviewing.keep(draft.id, 1, people.reviewer.id, {"reason": "还"})
    store.reviewing.keep(draft.id, 1, people.reviewer.id, said)
    assert store.reviewing.kept(draft.id, 1, people.reviewer.id) == said
    assert store.reviewing.kept(draft.id, 1, people.other.id) == {}
    assert store.reviewing.kept(draft.id, 2, people.reviewer.id) == {}  # of a text that is no longer the latest
    decide(draft.id, people.reviewer, "return")
    assert store.reviewing.kept(draft.id, 1, people.reviewer.id) == {}


def test_a_reason_that_is_no_longer_offered_keeps_its_words(store, people, submitted, decide):
    store.reviewing.offer_reasons(["甲", "乙"])
    given = store.reviewing.reasons()[0]
    draft = submitted()
    decide(draft.id, people.reviewer, "return", Assessment(reasons=(given.id,)))
    store.reviewing.offer_reasons(["乙", "丙"])
    assert [(reason.label, reason.offered) for reason in store.reviewing.reasons()] == [
        ("甲", False),
        ("乙", True),
        ("丙", True),
    ]
    store.reviewing.offer_reasons(["甲"])
    assert store.reviewing.reasons()[0] == given


@pytest.mark.parametrize(
    "said",
    [
        Assessment(verdicts={"L5": "keep"}),
        Assessment(verdicts={"L1": "fine"}),
        Assessment(ratings={"fluency": 6}),
        Assessment(ratings={"speed": 3}),
        Assessment(comments=(Comment("L1", " "),)),
        Assessment(reasons=(99,)),
    ],
)
def test_an_assessment_that_makes_no_sense_is_refused_with_its_decision(store, people, submitted, decide, said):
    draft = submitted()
    with pytest.raises(IntegrityError):
        decide(draft.id, people.reviewer, "return", said)
    assert store.draft(draft.id).state == "submitted" and store.reviewing.reviews(draft.id) == []


def test_lists_are_narrowed_and_ordered(store, people, text):
    def made(title, author, cosine):
        post = store.add_post(title, "信", author.id)
        (draft,) = store.start_drafts(post.id, author.id, model_name="m", model_sha256="0", samplings=[{"seed": 0}])
        store.finish_draft(draft.id, "done", text(title).parts(), score=StoredScore(cosine, cosine > 0.5, 50.0, "r"))
        return store.reviewing.submit(draft.id, 0, author.id)

    late, calm = made("深夜睡不着", people.author, 0.9), made("和母亲争吵", people.other, 0.2)
    store.reviewing.note_urgency(calm.post.id, "act_now")
    store.reviewing.note_urgency(calm.post.id, "assess_first")  # what was read first stays

    def ids(view="to_review", **how):
        return [line.draft_id for line in store.reviewing.queue(view, people.reviewer.id, **how)]

    assert ids() == [calm.id, late.id]
    assert ids(order="oldest") == [late.id, calm.id] and ids(order="newest") == [calm.id, late.id]
    assert ids(order="score") == [calm.id, late.id]
    assert ids("urgent") == ids("low_score") == [calm.id]
    assert ids(narrowed=Filter(words="睡不着")) == [late.id]
    assert ids(narrowed=Filter(author="第三")) == [calm.id] and ids(narrowed=Filter(author="%")) == []
    assert store.reviewing.counts(people.reviewer.id)["urgent"] == 1
    assert store.reviewing.queue("urgent", people.reviewer.id)[0].urgency == "act_now"


def test_the_database_keeps_the_changes_of_state_to_the_table(raw, people, submitted, decide):
    states = ("open", "submitted", "approved", "returned", "rejected")
    draft = submitted()
    decide(draft.id, people.reviewer)  # so that the rule of approvals stands in no way
    for old in states:
        for new in states:
            for step in _road(raw.exec_driver_sql("SELECT state FROM drafts").scalar_one(), old):
                raw.exec_driver_sql(f"UPDATE drafts SET state = '{step}'")
            if old == new or (old, new) in CHANGES:
                raw.exec_driver_sql(f"UPDATE drafts SET state = '{new}'")
            else:
                with pytest.raises(IntegrityError, match="no such change of state"):
                    raw.exec_driver_sql(f"UPDATE drafts SET state = '{new}'")


def _road(here, to):
    """Changes of state that lead from one to another, the shortest way."""
    ahead = [[here]]
    while ahead[0][-1] != to:
        road = ahead.pop(0)
        ahead += [[*road, new] for old, new in sorted(CHANGES) if old == road[-1]]
    return ahead[0][1:]


def test_raw_sql_approves_nothing_that_nobody_approved_and_changes_no_text_in_review(raw, submitted):
    submitted()
    with pytest.raises(IntegrityError, match="nobody has approved"):
        raw.exec_driver_sql("UPDATE drafts SET state = 'approved'")
    columns = ", ".join(f'"{name}"' for name in ("L1", "L2", "L3", "L4"))
    with pytest.raises(IntegrityError, match="in review or approved"):
        raw.exec_driver_sql(
            f"INSERT INTO revisions (draft_id, version, person_id, {columns}, answer, text_sha256, created_at)"
            f" SELECT draft_id, 2, person_id, {columns}, '偷换', '0', created_at FROM revisions"
        )


@pytest.fixture
def account(raw):
    """Gives a person an account by raw SQL; nothing signs in with it here."""

    def give(person, role):
        raw.exec_driver_sql(
            "INSERT INTO accounts (person_id, role, password_hash, failures, created_at)"
            f" VALUES ({person.id}, '{role}', '', 0, '2026-01-01T00:00:00.000000+00:00')"
        )

    return give


def test_where_there_are_accounts_only_some_review_and_fewer_decide_what_was_called_up(
    store, people, submitted, decide, account
):
    draft = submitted()
    account(people.author, "counselor")
    assert refused(decide, draft.id, people.reviewer) == "not_a_reviewer"  # no account
    account(people.other, "counselor")
    assert refused(decide, draft.id, people.other) == "not_a_reviewer"
    account(people.reviewer, "reviewer")
    decide(draft.id, people.reviewer, "escalate")
    assert refused(decide, draft.id, people.reviewer) == "lead_needed"
    lead = store.person("督导")
    account(lead, "lead")
    assert decide(draft.id, lead).state == "approved"


def test_raw_sql_reviews_nothing_for_somebody_without_the_role(raw, store, people, submitted, account):
    draft = submitted()
    account(people.other, "counselor")
    sha256 = store.latest_revision(draft.id).text_sha256
    with pytest.raises(IntegrityError, match="no account that may review"):
        raw.exec_driver_sql(
            "INSERT INTO reviews (draft_id, version, text_sha256, author_id, editor_id, reviewer_id, decision, reason,"
            f" created_at) VALUES ({draft.id}, 1, '{sha256}', {people.author.id}, {people.author.id},"
            f" {people.other.id}, 'approve', '', '')"
        )
