"""The metrics against values computed by hand, against nltk, and by what must hold of any text."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import sentence_bleu
from nltk.translate.meteor_score import single_meteor_score

from app.chain import LAYERS, Response
from training.measure.metrics import (
    AGAINST_A_REFERENCE,
    Metric,
    bleu_1,
    characters,
    distinct_1,
    echoed,
    evaluate,
    evaluate_chains,
    human_ceiling,
    meteor,
    repetition,
    rouge_l,
    support,
    words,
)

TOKENS = st.lists(st.sampled_from("我你很累想家，。"), max_size=24)
SOME = st.lists(st.sampled_from("我你很累想家，。"), min_size=1, max_size=24)


def close(value):
    return pytest.approx(value, abs=1e-12)


def by_name(results: list[Metric]) -> dict[tuple[str, str], Metric]:
    named = {(result.name, result.tokenizer): result for result in results}
    assert len(named) == len(results)
    return named


# One candidate of 4 characters, 我 很 累 了, and one reference of 5, 我 真 的 很 累. Shared: 我, 很, 累.


def test_bleu_1_by_hand():
    # Precision 3/4; shorter than its reference, so times e^(1 - 5/4).
    assert bleu_1("我很累了", "我真的很累") == close(3 / 4 * math.exp(-1 / 4))
    # 真 and 的 are missing from the other side: 3/5, and 5 is not shorter than 4.
    assert bleu_1("我真的很累", "我很累了") == close(3 / 5)


def test_bleu_1_counts_a_token_as_often_as_the_reference_holds_it():
    # Of three 好 one counts: 1/3. The other way round 1/2, times e^(1 - 3/2).
    assert bleu_1("好好好", "好吧") == close(1 / 3)
    assert bleu_1("好吧", "好好好") == close(1 / 2 * math.exp(-1 / 2))


def test_rouge_l_by_hand():
    # 我 很 累 in this order: L = 3, precision 3/4, recall 3/5, F1 = 2 * 3 / (4 + 5).
    assert rouge_l("我很累了", "我真的很累") == close(2 / 3)
    # 累 before 我: only one of the two is in order. 2 * 1 / (2 + 5).
    assert rouge_l("累我", "我真的很累") == close(2 / 7)


def test_meteor_by_hand():
    # Matches 0-0, 1-3, 2-4: three in two chunks (我 | 很累). P = 3/4, R = 3/5,
    # 10 P R / (R + 9 P) = 4.5 / 7.35; penalty 0.5 * (2/3)^3 = 4/27.
    assert meteor("我很累了", "我真的很累") == close(4.5 / 7.35 * 23 / 27)
    # P = 3/5, R = 3/4: 4.5 / (0.75 + 5.4), the same chunks. Recall weighs nine times as much.
    assert meteor("我真的很累", "我很累了") == close(4.5 / 6.15 * 23 / 27)


def test_meteor_pairs_equal_tokens_from_the_end_as_nltk_does():
    # 人 is 1-1, then 的 takes the last 的: 0-2. Two chunks of two matches, where 0-0 would have made one.
    # P = 1, R = 2/3: 10 * 2/3 / (2/3 + 9) = 20/29; penalty 0.5.
    assert meteor("的人", "的人的") == close(20 / 29 * 0.5)
    assert single_meteor_score("的 人 的".split(), "的 人".split()) == close(20 / 29 * 0.5)


def test_distinct_and_repetition_by_hand():
    # 我 想 很 of 我 想 我 很 想.
    assert distinct_1("我想我很想") == close(3 / 5)
    # Runs of 一二三四一二三四: five, of which the last is the first again.
    assert repetition("一二三四一二三四") == close(1 / 5)
    # 哈 seven times: four runs, three of them seen before.
    assert repetition("哈" * 7) == close(3 / 4)
    assert repetition("一二三") == 0.0


def test_echo_by_hand():
    # 昨天我哭了 is a run of 5 characters in the post, 他呢 is not: 5 of 7. 你 for 我 makes no difference.
    assert echoed("昨天我哭了他呢", "昨天我哭了一夜") == close(5 / 7)
    assert echoed("昨天你哭了他呢", "昨天我哭了一夜") == close(5 / 7)
    assert echoed("昨天我他呢", "昨天我哭了一夜") == 0.0


def test_support_by_hand():
    # Content words are the five of two characters; the post holds 父母, 失望 and 失眠.
    assert support("她害怕父母失望，因此失眠", "我怕父母。他们会失望，我失眠") == close(3 / 5)
    assert support("嗯...", "嗯...") == 0.0


def test_tokens_keep_punctuation_and_lose_white_space():
    assert characters("我 很累，\n\u3000OK。") == ["我", "很", "累", "，", "O", "K", "。"]
    assert words("我 很累，\n\u3000OK。") == ("我", "很累", "，", "OK", "。")


@given(SOME)
def test_a_text_against_itself(text):
    assert bleu_1(text, text) == rouge_l(text, text) == echoed("".join(text) * 4, "".join(text) * 4) == 1.0
    assert meteor(text, text) == close(1 - 0.5 / len(text) ** 3)


@given(TOKENS, TOKENS)
def test_bounds_and_symmetry(one, other):
    for metric in AGAINST_A_REFERENCE.values():
        assert 0.0 <= metric(one, other) <= 1.0
        assert (metric(one, other) > 0) == bool(set(one) & set(other))
    shares = distinct_1(one), repetition(one), echoed("".join(one), "".join(other))
    assert 0.0 <= min(shares) <= max(shares) <= 1.0
    assert rouge_l(one, other) == rouge_l(other, one)
    if len(one) == len(other):
        assert bleu_1(one, other) == bleu_1(other, one)


@given(SOME, SOME, st.randoms())
def test_order_moves_rouge_and_meteor_but_neither_bleu_nor_distinct(one, other, random):
    mixed = random.sample(one, len(one))
    assert bleu_1(mixed, other) == bleu_1(one, other)
    assert distinct_1(mixed) == distinct_1(one)
    assert rouge_l(mixed, one) <= rouge_l(one, one)
    assert meteor(mixed, one) <= meteor(one, one)
    # Only the penalty depends on order, and it halves at most.
    assert meteor(mixed, other) >= meteor(one, other) / 2


@given(TOKENS, TOKENS)
def test_rouge_l_is_the_table_of_the_textbook(one, other):
    row = [0] * (len(other) + 1)
    for token in one:
        above = row
        row = [0]
        for place, of_other in enumerate(other):
            row.append(above[place] + 1 if token == of_other else max(above[place + 1], row[place]))
    assert rouge_l(one, other) == close(2 * row[-1] / max(1, len(one) + len(other)))


@given(SOME, SOME)
def test_bleu_1_is_that_of_nltk(one, other):
    assert bleu_1(one, other) == close(float(sentence_bleu([other], one, weights=(1,))))


@given(SOME, st.randoms())
def test_meteor_is_that_of_nltk(reference, random):
    # nltk asks WordNet, which is not installed, only for tokens that the reference lacks: here it lacks none.
    candidate = random.sample(reference, random.randint(1, len(reference)))
    assert meteor(candidate, reference) == close(single_meteor_score(reference, candidate))


def test_results_of_two_posts_by_hand():
    posts = [("我累了怎么办", ["我真的很累", "我很累了"]), ("他走了", ["好吧"])]
    found = by_name(evaluate(posts, ["我很累了", "好好好"]))
    # The mean over references, then over posts; of the first post's references one is the answer itself.
    first = {
        "BLEU-1": (3 / 4 * math.exp(-1 / 4) + 1) / 2,
        "ROUGE-L": (2 / 3 + 1) / 2,
        "METEOR": (4.5 / 7.35 * 23 / 27 + (1 - 0.5 / 4**3)) / 2,
        "Distinct-1": 1.0,
    }
    # 好 of 好好好 and 好吧: P = 1/3, R = 1/2. 2 * 1 / (3 + 2). 10 * 1/6 / (1/2 + 3) * (1 - 0.5).
    second = {"BLEU-1": 1 / 3, "ROUGE-L": 2 / 5, "METEOR": 10 / 21 * 0.5, "Distinct-1": 1 / 3}
    assert all(found[name, "characters"].value == close((first[name] + second[name]) / 2) for name in first)
    assert found["NAvg", "characters"].value == close((fmean(first.values()) + fmean(second.values())) / 2)
    assert found["length", "characters"].value == close(3.5)
    assert found["echo", "characters"].value == 0.0
    # Two posts are drawn 1-1, 1-2, 2-1 or 2-2: the interval reaches from one post to the other.
    assert found["Distinct-1", "characters"] == Metric("Distinct-1", "characters", close(2 / 3), close(1 / 3), 1.0, 2)


def test_every_result_names_its_tokenizer_and_words_differ_from_characters():
    found = by_name(evaluate([("失眠", ["我害怕父母失望"])], ["父母害怕我失望"]))
    assert {tokenizer for _, tokenizer in found} == {"characters", "jieba"}
    # 父 母 害 怕 我 失 望 and 我 害 怕 父 母 失 望: 害怕失望 or 父母失望, 4 of 7; in words 害怕 失望, 2 of 4.
    assert found["ROUGE-L", "characters"].value == close(4 / 7)
    assert found["ROUGE-L", "jieba"].value == close(2 / 4)


def test_references_after_the_fifth_are_left_out():
    assert evaluate([("题", ["好吧"] * 5 + ["好的"])], ["好的"]) == evaluate([("题", ["好吧"] * 5)], ["好的"])


def test_the_interval_is_that_of_a_binomial_and_the_same_every_time():
    # Half of 100 posts score 1. The mean of a resample is a binomial of 100 and 1/2, by 100: 95 % of it in 0.4 to 0.6.
    posts = [("题", ["好"])] * 50 + [("题", ["坏"])] * 50
    found = by_name(evaluate(posts, ["好"] * 100))["BLEU-1", "characters"]
    assert (found.value, found.low, found.high, found.posts) == (0.5, close(0.4), close(0.6), 100)
    varied = ["好" * length for length in range(1, 101)]
    assert evaluate(posts, varied) == evaluate(posts, varied)


def test_the_ceiling_is_each_answer_against_the_others():
    posts = [("题", ["我很累了", "我真的很累"]), ("题", ["一个答复"]), ("题", ["好吧", "好吧", "好好好"])]
    found = by_name(human_ceiling(posts))["ROUGE-L", "characters"]
    # Post 1: 2/3 both ways. Post 3: 好吧 against 好吧 1 and 好好好 2/5, twice; 好好好 against 好吧 2/5, twice.
    assert found.value == close((2 / 3 + (0.7 + 0.7 + 0.4) / 3) / 2)
    assert found.posts == 2


def test_chains_are_measured_against_their_post_and_another():
    posts = ["我害怕父母失望，所以失眠", "丈夫搬走以后，孩子不说话"]
    own = [Response(L1=text, L2="害怕父母", L3="想有人听", L4="一二三四一二三四", answer="答") for text in posts]
    found = by_name(evaluate_chains(posts, own))
    assert [name for name, _ in found][-1] == "chain repetition"
    assert all((f"{layer.tag} support", "jieba") in found for layer in LAYERS)
    assert found["L1 support", "jieba"].value == found["L1 echo", "characters"].value == 1.0
    assert found["L1 support, other post", "jieba"].value == 0.0
    # Of two posts each is the other's other: L2 is held by the first alone.
    assert found["L2 support", "jieba"].value == found["L2 support, other post", "jieba"].value == 0.5
    assert found["L4 length", "characters"].value == 8
    # The chains have 12 + 4 + 4 + 8 characters: 25 runs of four. 一二三四 is repeated in both, 害怕父母 in the first.
    assert found["chain repetition", "characters"].value == close((2 / 25 + 1 / 25) / 2)


@pytest.mark.parametrize(
    ("posts", "answers", "message"),
    [
        ([], [], "0 posts and 0 responses"),
        ([("题", ["好"])], [], "1 posts and 0 responses"),
        ([("题", ["好"]), ("题", [])], ["好", "好"], "Post 2 of 2 has no reference"),
    ],
)
def test_what_cannot_be_compared_is_refused(posts, answers, message):
    with pytest.raises(ValueError, match=message):
        evaluate(posts, answers)


def test_a_ceiling_needs_two_answers_and_chance_needs_two_posts():
    with pytest.raises(ValueError, match="None of 1 posts has two answers"):
        human_ceiling([("题", ["好"])])
    with pytest.raises(ValueError, match="give 2 or more"):
        evaluate_chains(["题"], [Response("一", "二", "三", "四", "答")])


def test_an_empty_answer_scores_nothing():
    assert all(result.value == 0.0 for result in evaluate([("题", ["好"])], [""]))
