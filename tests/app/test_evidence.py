"""Evidence: which words of a made-up post light up for which claim, and what is marked as found nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evidence import Claim, evidence
from app.sentences import sentences

POST = (
    "搬出来的第三十七天\n"
    "我把隧道口的旧自行车卖了，一百二十块。妈妈说我不懂事，我没回嘴。"
    "夜里两点我又骑到隧道口，才想起来车没了，哭着走回来的。我觉得自己没有用。"
)


def one(layer: str, post: str = POST) -> Claim:
    (claim,) = evidence(layer, post)
    return claim


def lit(claim: Claim, post: str = POST) -> list[str]:
    return [post[start:end] for start, end in claim.spans]


def test_the_words_a_claim_shares_with_the_post_light_up():
    claim = one("也许旧自行车是他和家的最后一点联系。")
    assert claim.supported
    assert lit(claim) == ["旧自行车"]


def test_every_place_of_a_word_lights_up():
    assert lit(one("隧道口让她难堪。")) == ["隧道口", "隧道口"]


def test_a_guess_without_words_of_the_post_is_marked_and_lights_nothing():
    claim = one("可能害怕失去控制。")
    assert not claim.supported
    assert claim.spans == ()
    assert claim.misquoted == ()


def test_what_every_post_says_supports_nothing():
    assert not one("她觉得自己没有办法，不知道怎么办。").supported


def test_one_shared_word_lights_up_and_is_too_little():
    claim = one("夜里最难。")
    assert not claim.supported
    assert lit(claim) == ["夜里"]


@pytest.mark.parametrize("person", ["我", "你", "她", "写信人", "来信人"])
def test_a_layer_tells_in_the_third_person_what_the_post_tells_in_the_first(person):
    assert lit(one(f"妈妈说{person}不懂事。")) == ["妈妈说我不懂事"]


def test_a_quotation_supports_however_common_its_words():
    claim = one("最低处是“我觉得自己没有用”。")
    assert claim.supported
    assert lit(claim) == ["我觉得自己没有用"]


def test_a_quotation_may_leave_out_and_change_punctuation():
    claim = one("“妈妈说我不懂事……车没了哭着走回来的”，委屈。")
    assert claim.supported
    assert claim.misquoted == ()


def test_a_quotation_that_the_post_does_not_hold_is_named_and_does_not_support():
    layer = "他写“我再也不想回家了”。"
    claim = one(layer)
    assert [layer[start:end] for start, end in claim.misquoted] == ["“我再也不想回家了”"]
    assert not claim.supported


def test_half_a_quotation_is_a_misquotation():
    assert one("“妈妈说我没良心”").misquoted


def test_a_quoted_term_is_no_quotation():
    assert one("这里有一点“固执”。").misquoted == ()


def test_numbers_support_with_what_they_count():
    assert one("已经三十七天了。").supported
    assert not one("已经四十六年了。").supported
    assert one("Sold it for 120 at 23:40.", "I sold the bike for 120 at 23:40").supported


def test_english_words_count_whole_and_common_ones_not():
    post = "I sold my bicycle near the tunnel. I just feel like nothing would help."
    claim = one("The bicycle and the tunnel belong together.", post)
    assert claim.supported
    assert lit(claim, post) == ["bicycle", "the tunnel"]
    assert not one("She would just feel like nothing could help them.", post).supported
    assert not one("A cycle, a funnel.", post).supported


def test_claims_are_sentences_cut_at_semicolons_outside_quotations():
    layer = "他累；也怕。“你走！走了就别回来；”妈妈说。\n第二段"
    assert [layer[claim.start : claim.end] for claim in evidence(layer, POST)] == [
        "他累；",
        "也怕。",
        "“你走！走了就别回来；”妈妈说。",
        "第二段",
    ]


def test_a_quotation_does_not_end_the_sentence_around_it():
    text = "她说：“我走了。你别等。”，声音很轻。“真的？”她又问。"
    assert [text[start:end] for start, end in sentences(text)] == [
        "她说：“我走了。你别等。”，声音很轻。",
        "“真的？”",
        "她又问。",
    ]


@given(st.text("我你他妈骑车隧道“”…。；，a1 \n", max_size=60), st.text("我你他妈骑车隧道“”…。；，a1 \n", max_size=60))
def test_any_two_texts_give_ordered_claims_and_spans_within_them(layer, post):
    claims = evidence(layer, post)
    ends = 0
    for claim in claims:
        assert ends <= claim.start < claim.end <= len(layer)
        ends = claim.end
        last = -1
        for start, end in claim.spans:
            assert last < start < end <= len(post)
            last = end
    covered = "".join(layer[claim.start : claim.end] for claim in claims)
    assert [char for char in covered if char.isalnum()] == [char for char in layer if char.isalnum()]


@given(st.text("妈骑车隧道夜哭走回来的卖旧", min_size=4, max_size=30))
def test_a_post_supports_its_own_words(post):
    assert one(f"“{post}”", post).supported


def test_empty_texts_hold_no_claims_and_no_support():
    assert evidence("", POST) == evidence("……；；——", POST) == ()
    assert not one("他很累。", "").supported
