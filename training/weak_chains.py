"""Chains by rule, for as long as no hand-written ones exist: each layer quotes the post or the human answer beside it.

Deviation: the paper lets DeepSeek-R1 write the chain for a human answer and has experts vet it. A rule sees words, not
meaning: it misses what is implied and takes quotations for feelings. Model cards of models trained on these say so.
"""

from __future__ import annotations

import re

from app.chain import Response
from training.data.topics import taxonomy
from training.pairs import Pair

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

NEEDS = {
    "exams": "被肯定，不只凭成绩衡量自己", "direction": "自己选的路有人支持", "campus": "在同学老师中间有个位置",
    "bullying": "安全，有人站在自己这一边", "career": "看得见的方向和一点把握", "workplace": "被认可，对工作有掌控感",
    "layoff": "有着落，也保住脸面", "dating": "被在乎，关系里有安全感", "breakup": "这段感情被好好承认和放下",
    "matchmaking": "按自己的节奏生活", "marriage": "被伴侣理解，关系稳定可靠", "divorce": "被忠实相待，能自己作主",
    "in_laws": "在大家庭里有边界和尊重", "parents": "被父母看见和尊重", "childhood": "当年缺的照看和公道",
    "caregiving": "有人分担，也能歇一歇", "parenting": "做个好家长，也有人分担", "perinatal": "身心都被照顾",
    "grief": "想念有处安放", "illness": "身体安稳，不被当成负担", "low_mood": "安稳下来，不再独自硬撑",
    "anxiety": "踏实和能放松的片刻", "self_worth": "不用证明也被接纳", "loneliness": "有人懂，有归属的地方",
    "identity": "照自己的样子被接受", "addiction": "重新作自己的主", "money": "生活有底，不被看低",
    "violence": "安全，并且被相信", "meaning": "知道为什么而过",
}  # fmt: skip

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


def emotions_of(post: str, limit: int = 3) -> list[tuple[str, str]]:
    """Up to `limit` (emotion, clause that shows it), in the order of the post, each emotion once."""
    found: dict[str, str] = {}
    for clause in _CLAUSE.findall(post):
        for word, emotion in EMOTIONS.items():
            if len(clause) > 3 and word in clause and emotion not in found and clause not in found.values():
                found[emotion] = clause
    return list(found.items())[:limit]


def _emotions_and_context(post: str, topic: str) -> str:
    emotions = emotions_of(post)
    felt = "、".join(f"{emotion}（{_quote(clause)}）" for emotion, clause in emotions) or "没有直接说出的低落和挂念"
    return f"写信人感到{felt}。处境与{taxonomy()[topic].zh}有关。"


def _causes_and_beliefs(post: str, topic: str) -> str:
    lines = []
    cause = _first_clause(post, CAUSES)
    if cause:
        lines.append(f"情绪可能与这件事有关：{_quote(cause)}。")
    absolute = _first_clause(post, ABSOLUTES)
    if absolute:
        lines.append(f"{_quote(absolute)}里也许有一条过于绝对的想法。")
    lines.append(f"没被满足的需要可能是{NEEDS[topic]}。")
    return "".join(lines)


def _intent(post: str) -> str:
    questions = [s for s in _SENTENCE.findall(post) if re.search(r"[？?]|怎么办|该怎么|如何", s)]
    if not questions:
        return "没有提问，更像是想把话说出来，希望有人听见、理解。"
    asks_for_steps = re.search(r"怎么办|怎么做|如何|该不该|怎样", questions[-1])
    wish = "想要可行的办法" if asks_for_steps else "想弄明白自己和这件事"
    return f"写信人问：{_quote(questions[-1])}，{wish}；没有说出口的，是希望先被理解而不是被评判。"


def _strategy(pair: Pair) -> str:
    emotions = emotions_of(pair.post, 2)
    first = "和".join(emotion for emotion, _ in emotions) or "说不出口的难处"
    advice = next((s for s in _SENTENCE.findall(pair.answer) if len(s) > 8 and any(w in s for w in ADVICE)), None)
    step = f"再给一小步：{_quote(advice)}" if advice else "以陪伴和倾听为主，不急着给办法"
    return f"先接住{first}，说明这样的感受可以理解；{step}；不评判，不替写信人做决定。"


def weak_chain(pair: Pair) -> Response:
    """The response that SFT learns for a pair: four layers by rule, then the human answer."""
    return Response(
        L1=_emotions_and_context(pair.post, pair.topic),
        L2=_causes_and_beliefs(pair.post, pair.topic),
        L3=_intent(pair.post),
        L4=_strategy(pair),
        answer=pair.answer,
    )
