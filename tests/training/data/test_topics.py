"""The taxonomy, and the topics of posts that leave no doubt."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter

import pytest

from tests.synthetic import post
from training.data.agreement import LABELS, agreement
from training.data.records import Record
from training.data.topics import TITLE_WEIGHT, WordIndex, label, label_all, taxonomy

CLEAR = {
    ("exams", "考试焦虑"): (
        "月考前又吐了",
        "一进考场手就抖，卷子发下来脑子空白。成绩从第五掉到三十名，老师找我谈考试的心态。",
    ),
    ("campus", "宿舍矛盾"): ("室友半夜打电话", "宿舍六个人，只有我早睡。和舍友说过作息，她们笑我，我想换宿舍。"),
    ("bullying", "造谣与羞辱"): (
        "他们给我起外号",
        "班群里有人造谣，嘲笑我的口音，侮辱我的家，说我坏话的谣言传到隔壁班。",
    ),
    ("layoff", "被裁员"): (
        "被裁员第四十天",
        "公司裁员，我拿了补偿走人。失业以后每天照样出门，去图书馆坐着，待业的事没人知道。",
    ),
    ("breakup", "忘不掉前任"): ("前任的头像换了", "分手一年还是忘不掉她，梦里都是前女友，走不出来，也不敢想复合。"),
    ("matchmaking", "被催婚"): ("过年又要被催婚", "三十四岁单身，姑姑排了六场相亲，彩礼都替我想好了，天天催婚。"),
    ("divorce", "发现出轨"): ("他手机里有另一个人", "丈夫出轨三年，小三发消息给我。我想离婚，又怕孩子问起这场背叛。"),
    ("in_laws", "婆媳矛盾"): ("婆婆把我的锅扔了", "婆婆住进来两个月，婆媳为一口锅闹翻。公公不说话，儿媳的话没人听。"),
    ("perinatal", "产后低落"): (
        "坐月子的第二十天",
        "生孩子以后一直哭，医生说可能是产后抑郁，坐月子像坐牢，宝宝一哭我就抖。",
    ),
    ("grief", "父母离世"): ("外套还挂在门后", "父亲去世三个月，葬礼那天我没有哭。现在想念他，去世前的号码还存着。"),
    ("anxiety", "失眠"): ("又是凌晨四点", "失眠第二个月，躺下就心慌，越担心睡不着越睡不着，紧张得出汗。"),
    ("identity", "出柜"): ("要不要跟我妈出柜", "我是同性恋，性取向这件事瞒了十年，妈妈昨天问起，我差点出柜。"),
    ("addiction", "赌博"): ("又输了三个月工资", "戒赌第七次失败，网赌上瘾，控制不住手，越输越赌。"),
    ("money", "网贷"): ("催收打到了单位", "网贷欠了十一家，信用卡逾期，借新债还旧债，钱的窟窿越来越大。"),
    ("violence", "家庭暴力"): ("他又打我了", "家暴第三年，他喝完就打我，威胁要找到我娘家去，暴力一次比一次重。"),
}


def test_the_taxonomy_has_29_topics_with_names_of_their_own():
    topics = list(taxonomy().values())
    assert len(topics) == 29 and list(taxonomy()) == [topic.id for topic in topics]
    for names in ([topic.zh for topic in topics], [topic.en for topic in topics]):
        assert len(set(names)) == 29 and all(names)


@pytest.mark.parametrize("topic", taxonomy().values(), ids=lambda topic: topic.id)
def test_every_topic_and_subtopic_has_words_and_names(topic):
    parts = topic.subtopics.values()
    assert topic.words and len(topic.words) == len(set(topic.words))
    assert len(parts) >= 6 and len({part.en for part in parts}) == len(parts)
    for part in parts:
        assert part.zh and part.en and part.words and len(part.words) == len(set(part.words)), part.zh


def test_no_two_subtopics_share_a_name():
    names = [part.zh for topic in taxonomy().values() for part in topic.subtopics.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("topic", "part"), CLEAR)
def test_a_clear_post_has_its_topic_and_subtopic_by_its_words(topic, part):
    assert label(CLEAR[topic, part]) == (topic, part)


def test_all_clear_posts_have_their_topics_beside_each_other():
    assert label_all(list(CLEAR.values())) == list(CLEAR)


def test_words_are_counted_wherever_they_stand_and_however_often():
    index, topics = WordIndex(), list(taxonomy())

    def count(text: str) -> Counter[tuple[str, str]]:
        """By topic and part, how often any of their words stands in a text."""
        counts = Counter[tuple[str, str]]()
        for number, times in index.count(text).items():
            topic, part = index.places[number]
            counts[topics[topic], part] += times
        return counts

    # A word of one character, at the beginning, at the end and twice.
    assert [count(text)["addiction", "赌博"] for text in ("赌还不", "还不赌", "赌不赌")] == [1, 1, 2]
    # 出柜 is a word of the topic and of its part.
    assert count("出柜，出柜") == {("identity", ""): 2, ("identity", "出柜"): 2}
    assert count("") == {}


def test_a_word_in_the_title_counts_more_than_one_in_the_description():
    assert label(("要不要出柜", "婆婆" * (TITLE_WEIGHT // 4)))[0] == "identity"
    assert label(("婆婆来了", "出柜"))[0] == "in_laws"


def test_posts_of_a_known_topic_teach_what_the_taxonomy_does_not_say():
    posts = [*((f"{number}", post(number)) for number in range(60)), ("", "龘龘龘龘")]
    assert label_all(posts)[-1][0] != "money"
    assert label_all(posts, [(("", "龘龘龘"), "money")] * 40)[-1][0] == "money"


def test_the_hand_labels_name_topics_of_the_taxonomy_and_no_post_twice():
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len({row["group"] for row in rows}) == len(rows)
    assert {row["use"] for row in rows} == {"tune", "test"}
    known = set(taxonomy())
    for row in rows:
        assert row["topic"] in known and {row["also"], row["second_reader"]} <= known | {""}, row


def test_agreement_counts_test_posts_that_the_corpus_holds():
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    test = [row for row in rows if row["use"] == "test"]
    both = next(row for row in test if row["also"])
    one, other = [row for row in test if row is not both][:2]
    wrong = next(name for name in taxonomy() if name not in (other["topic"], other["also"]))
    record = Record("", "", one["topic"], "", (), "smilechat", "", one["group"])
    records = [
        record,
        dataclasses.replace(record, group=both["group"], topic=both["also"]),
        dataclasses.replace(record, group=other["group"], topic=wrong),
        dataclasses.replace(record, group=next(row["group"] for row in rows if row["use"] == "tune")),
        dataclasses.replace(record, group="not labelled"),
    ]
    first, *_ = agreement(records).splitlines()
    assert first.split() == ["labeller", "3", "posts", "exact", "33.3%", "either", "66.7%"]
