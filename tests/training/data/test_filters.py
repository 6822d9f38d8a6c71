"""Each reason to refuse a post, on both sides of its limit, and what is never a reason."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.filters import accept, is_noise
from training.data.records import Record

POST = (
    "外婆走后我没有哭，舅舅说我心硬。上个礼拜三在菜场看见她常买的那种小葱，我站在摊子前面，觉得手脚都不是自己的。妈妈打电话来，"
    "问我清明回不回去，我说工作忙。其实是害怕看见那间空屋子，害怕床头那只收音机还在。夜里睡不着，就数楼下的车，数到天亮再去上班。"
)
DESPAIR = (
    "我不想活了，真的撑不下去。每天睁开眼睛就觉得累，父母也不理我，朋友一个一个走开，只有楼下那只猫还认得我。昨晚我在桥上站了很久，"
    "风很大，手机没电，后来是一个卖烤红薯的阿姨喊了我一声，我才走回家。我不知道自己还能忍几天，也不知道跟谁去说这些话。"
)
ANSWER = (
    "小葱那一段我读了两遍。人站在摊子前面动不了，往往是身体先认出了谁不在，比眼泪来得早。舅舅说心硬，大概是他只看得见眼泪。"
    "清明回不回去可以不急着定；如果回，不必一个人推那扇门，叫妈妈先把收音机收起来，或者就摆着，由你来决定要不要听一听它。"
)
PADDING = "".join(chr(0x4E00 + number) for number in range(3200))


def record(post: str = POST, *answers: str) -> Record:
    return Record("", post, "", "", answers or (ANSWER,), "own", "", "g")


def sized(post: str, chars: int) -> str:
    return (post + PADDING)[:chars]


def test_a_post_with_a_long_answer_stays_as_it_is():
    assert accept(record()) == record()


@pytest.mark.parametrize(
    ("post", "reason"),
    [
        (sized(POST, 99), "post_short"),
        (sized(POST, 100), None),
        (sized(POST, 3000), None),
        (sized(POST, 3001), "post_long"),
        ("我的家：" + "#￥%&*@" * 30, "noise"),
        ("我害怕自己 " + "13800 00000 1990 " * 10, "noise"),
        ("我觉得自己很累，妈妈不懂我。" * 10, "noise"),
        (POST + "加微信：qinghuan_2021", "advertisement"),
        (POST + "详情 https://example.org", "advertisement"),
        (POST + "现在扫码领取课程。", "advertisement"),
        (POST + "预约热线：400", "advertisement"),
        (POST + "我每天去公众号看文章，在微信上和她说话，也扫码付过钱。", None),
        (PADDING[:150], "not_psychological"),
        ("我和自己" + PADDING[:146], "not_psychological"),
        ("我和妈妈" + PADDING[:146], None),
    ],
)
def test_posts_are_refused_for_the_reason_that_holds(post, reason):
    accepted = accept(record(post))
    assert accepted == (reason or record(post))


def test_the_title_counts_as_part_of_the_post():
    short = dataclasses.replace(record(sized(POST, 90)), title="清明回去吗")
    assert accept(short) == "post_short"
    long_enough = dataclasses.replace(short, title="清明我该不该回去？")
    assert accept(long_enough) == long_enough


@pytest.mark.parametrize(
    "answer", [sized(ANSWER, 99), "加油，" * 40, ANSWER + "加QQ号：123456789", "！？～" * 50 + "抱抱你", ""]
)
def test_an_answer_that_may_not_stay_is_dropped_and_the_others_stay(answer):
    assert accept(record(POST, answer, ANSWER, answer)) == record(POST, ANSWER)
    assert accept(record(POST, answer)) == "no_response"


def test_an_answer_of_exactly_the_shortest_length_stays():
    assert accept(record(POST, sized(ANSWER, 100))) == record(POST, sized(ANSWER, 100))


@st.composite
def despairing(draw: st.DrawFn) -> str:
    """The same post with rows of full stops put anywhere into it, on one line or on many."""
    text = DESPAIR
    for _ in range(draw(st.integers(1, 4))):
        stop = draw(st.sampled_from(["。", ".", "…", "……", "。 ", ". ", "\n。", "。。\n", "···", "．"]))
        at = draw(st.integers(0, len(text)))
        text = text[:at] + stop * draw(st.integers(1, 250)) + text[at:]
    return text


@given(despairing())
def test_no_post_is_lost_for_its_rows_of_full_stops(post):
    assert not is_noise(post)
    # Its length in characters is another matter, and a row in the middle of a word takes nothing else away.
    assert accept(record(post)) in (record(post), "post_long")


def test_a_text_may_end_four_times_in_the_same_way_and_not_five_times():
    refrain = "还是没有人来开那扇门"
    verses = [PADDING[at : at + 30] + refrain for at in range(0, 150, 30)]
    assert not is_noise("".join(verses[:4]))
    assert is_noise("".join(verses))
