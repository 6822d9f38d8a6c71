"""The chains that a rule writes: each layer quotes the post or the answer, whatever they hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.chain import SECTIONS, parse, post_text, render
from training.data.topics import taxonomy
from training.pairs import Pair
from training.weak_chains import EMOTIONS, NEEDS, QUOTE_CHARS, emotions_of, weak_chain

PAIR = Pair(
    group="g",
    topic="workplace",
    title="我该不该辞职？",
    description="上班的路上我总是很焦虑，心跳得厉害。自从换了领导，我应该忍一忍的话听了三年。",
    answer="读到这里我能感到你的焦虑。\n你可以先请一天假，看看身体怎么说。",
)


def pair(description: str, answer: str = PAIR.answer, title: str = "", topic: str = "workplace") -> Pair:
    return Pair("g", topic, title, description, answer)


def test_a_weak_chain_quotes_the_post_and_the_answer():
    chain = weak_chain(PAIR)
    assert "焦虑（“上班的路上我总是很焦虑”）" in chain.L1 and taxonomy()["workplace"].zh in chain.L1
    assert "这件事有关：“自从换了领导”" in chain.L2
    assert "“上班的路上我总是很焦虑”里也许有一条过于绝对的想法" in chain.L2 and NEEDS["workplace"] in chain.L2
    assert "写信人问：“我该不该辞职？”，想要可行的办法" in chain.L3
    assert "先接住焦虑" in chain.L4 and "你可以先请一天假" in chain.L4
    assert chain.answer == PAIR.answer


def test_the_last_question_is_the_one_that_counts():
    chain = weak_chain(pair("先问一句，可以吗？我到底该怎么办？说完了。"))
    assert "写信人问：“我到底该怎么办？”" in chain.L3


def test_a_post_that_names_nothing_still_gives_a_whole_chain():
    bare = pair("今天的天气和昨天一样。", "天气会变的。")
    assert emotions_of(bare.post) == []
    chain = weak_chain(bare)
    assert "没有直接说出" in chain.L1 and "没有提问" in chain.L3 and "以陪伴和倾听为主" in chain.L4


def test_emotions_come_in_the_order_of_the_post_each_once_and_three_at_most():
    post = "我很难过，也很难过。后来就麻木了。看见同学我会嫉妒，想到未来只有迷茫。"
    assert emotions_of(post) == [("难过", "我很难过"), ("麻木", "后来就麻木了"), ("嫉妒", "看见同学我会嫉妒")]
    # Two words in one clause give it once; a clause of three characters shows nothing.
    assert emotions_of("我又焦虑又担心，我难过，我恨这一切") == [("焦虑", "我又焦虑又担心"), ("怨恨", "我恨这一切")]


def test_a_long_clause_is_quoted_to_its_limit():
    clause = "我焦虑" + "得" * QUOTE_CHARS
    assert f"“{clause[:QUOTE_CHARS]}……”" in weak_chain(pair(clause)).L1


def test_every_topic_has_a_need():
    assert set(NEEDS) == set(taxonomy())


WORDS = [
    *EMOTIONS,
    "应该",
    "因为",
    "怎么办",
    "可以试",
    "我",
    "信",
    "？",
    "。",
    "，",
    "\n",
    " ",
    "“",
    "＜",
    "\u3000",
    "\x1c",
    "a",
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=30).map("".join)


@given(TEXTS, TEXTS, TEXTS.map(str.strip).filter(bool), st.sampled_from(list(taxonomy())))
def test_whatever_a_pair_holds_its_chain_is_in_the_format(title, description, answer, topic):
    chain = weak_chain(pair(description, answer, title, topic))
    assert parse(render(chain)) == chain
    assert list(chain.parts()) == list(SECTIONS)
    for _, clause in emotions_of(post_text(title, description)):
        assert clause in f"{title}\n{description}"
