"""Chains by rule, for as long as no hand-written ones exist: each layer quotes the post or the human answer beside it.

Deviation: the paper lets DeepSeek-R1 write the chain for a human answer and has experts vet it. A rule sees words, not
meaning: it misses what is implied and takes quotations for feelings. Model cards of models trained on these say so.
"""

from __future__ import annotations

import re

from app.chain import Response
from training.data import Pair

# Word in the post -> the emotion that is named. Longer words first, so that 不开心 is not read as 开心.
EMOTIONS = {
    "焦虑": "焦虑", "担心": "担忧", "害怕": "害怕", "恐惧": "恐惧", "紧张": "紧张", "不安": "不安", "崩溃": "濒临崩溃",
    "绝望": "绝望", "想死": "绝望", "难过": "难过", "伤心": "伤心", "痛苦": "痛苦", "难受": "难受", "哭": "悲伤",
    "孤独": "孤独", "孤单": "孤独", "没有朋友": "孤单", "委屈": "委屈", "生气": "生气", "愤怒": "愤怒", "恨": "怨恨",
    "讨厌": "反感", "烦": "烦躁", "内疚": "内疚", "愧疚": "内疚", "自责": "自责", "后悔": "后悔", "自卑": "自卑",
    "迷茫": "迷茫", "不知道该": "迷茫", "困惑": "困惑", "纠结": "纠结", "矛盾": "矛盾", "无助": "无助", "无力": "无力",
    "压力": "压力大", "累": "疲惫", "失望": "失望", "失落": "失落", "嫉妒": "嫉妒", "羡慕": "羡慕", "舍不得": "不舍",
    "放不下": "不舍", "麻木": "麻木", "压抑": "压抑",
}  # fmt: skip

TOPICS = {
    "学业": ("考试", "高考", "考研", "学习", "成绩", "老师", "同学", "学校", "作业", "论文"),
    "家庭": ("父母", "妈妈", "爸爸", "母亲", "父亲", "家人", "婆婆", "弟弟", "妹妹", "姐姐", "哥哥"),
    "恋爱": ("男朋友", "女朋友", "男友", "女友", "分手", "前任", "喜欢的人", "恋爱", "表白"),
    "婚姻": ("老公", "老婆", "丈夫", "妻子", "离婚", "结婚", "出轨", "婚姻"),
    "工作": ("工作", "同事", "领导", "公司", "辞职", "上班", "面试", "加班"),
    "人际": ("朋友", "室友", "舍友", "社交", "人际", "聊天"),
    "育儿": ("孩子", "儿子", "女儿", "宝宝"),
    "身心状况": ("失眠", "睡不着", "抑郁", "强迫", "吃药", "医院", "发作"),
}  # fmt: skip

NEEDS = {
    "学业": "被肯定，不只凭成绩衡量自己", "家庭": "被家人看见和尊重", "恋爱": "被在乎，关系里有安全感",
    "婚姻": "被伴侣理解，关系稳定可靠", "工作": "被认可，对生活有掌控感", "人际": "被接纳，有归属的地方",
    "育儿": "做个好家长，也有人分担", "身心状况": "安稳下来，不再独自硬撑",
}  # fmt: skip
DEFAULT_NEED = "被理解，有人一起想办法"

ABSOLUTES = (
    "都怪我",
    "都是我的错",
    "没有意义",
    "没用",
    "永远",
    "从来",
    "总是",
    "必须",
    "应该",
    "一定要",
    "不配",
    "所有人",
)
CAUSES = ("因为", "由于", "自从", "小时候", "从小", "一直以来", "导致", "之后")
ADVICE = ("可以试", "试着", "尝试", "建议", "不妨", "可以先", "你可以")

_SENTENCE = re.compile(r"[^。！？!?\n；;…]+[。！？!?；;…]?")
_CLAUSE = re.compile(r"[^，,。！？!?\n；;…、]+")
QUOTE_CHARS = 28


def _quote(clause: str) -> str:
    clause = clause.strip(" “”\"'：:")
    return f"“{clause if len(clause) <= QUOTE_CHARS else clause[:QUOTE_CHARS] + '……'}”"


def _first_clause(text: str, words: tuple[str, ...]) -> str | None:
    return next((c for c in _CLAUSE.findall(text) if len(c) > 3 and any(word in c for word in words)), None)


def topic_of(post: str) -> str | None:
    """The topic whose words occur most often in the post; None if none does."""
    counts = {topic: sum(post.count(word) for word in words) for topic, words in TOPICS.items()}
    best = max(counts, key=lambda topic: counts[topic])
    return best if counts[best] else None


def emotions_of(post: str, limit: int = 3) -> list[tuple[str, str]]:
    """Up to `limit` (emotion, clause that shows it), in the order of the post, each emotion once."""
    found: dict[str, str] = {}
    for clause in _CLAUSE.findall(post):
        for word, emotion in EMOTIONS.items():
            if len(clause) > 3 and word in clause and emotion not in found and clause not in found.values():
                found[emotion] = clause
    return list(found.items())[:limit]


def _emotions_and_context(post: str, topic: str | None) -> str:
    emotions = emotions_of(post)
    felt = "、".join(f"{emotion}（{_quote(clause)}）" for emotion, clause in emotions) or "没有直接说出的低落和挂念"
    return f"写信人感到{felt}。处境与{topic or '生活'}有关。"


def _causes_and_beliefs(post: str, topic: str | None) -> str:
    lines = []
    cause = _first_clause(post, CAUSES)
    if cause:
        lines.append(f"情绪可能与这件事有关：{_quote(cause)}。")
    absolute = _first_clause(post, ABSOLUTES)
    if absolute:
        lines.append(f"{_quote(absolute)}里也许有一条过于绝对的想法。")
    lines.append(f"没被满足的需要可能是{NEEDS.get(topic or '', DEFAULT_NEED)}。")
    return "".join(lines)


def _intent(post: str) -> str:
    questions = [s for s in _SENTENCE.findall(post) if re.search(r"[？?]|怎么办|该怎么|如何", s)]
    if not questions:
        return "没有提问，更像是想把话说出来，希望有人听见、理解。"
    asks_for_steps = re.search(r"怎么办|怎么做|如何|该不该|怎样", questions[-1])
    wish = "想要可行的办法" if asks_for_steps else "想弄明白自己和这件事"
    return f"写信人问：{_quote(questions[-1])}，{wish}；没有说出口的，是希望先被理解而不是被评判。"


def _strategy(pair: Pair, topic: str | None) -> str:
    emotions = emotions_of(pair.post, 2)
    first = "和".join(emotion for emotion, _ in emotions) or "说不出口的难处"
    advice = next((s for s in _SENTENCE.findall(pair.answer) if len(s) > 8 and any(w in s for w in ADVICE)), None)
    step = f"再给一小步：{_quote(advice)}" if advice else "以陪伴和倾听为主，不急着给办法"
    return f"先接住{first}，说明这样的感受可以理解；{step}；不评判，不替写信人做决定。"


def weak_chain(pair: Pair) -> Response:
    """The response that SFT learns for a pair: four layers by rule, then the human answer."""
    topic = topic_of(pair.post)
    return Response(
        L1=_emotions_and_context(pair.post, topic),
        L2=_causes_and_beliefs(pair.post, topic),
        L3=_intent(pair.post),
        L4=_strategy(pair, topic),
        answer=pair.answer,
    )
