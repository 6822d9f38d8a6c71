"""Which words of the post stand behind each claim of a layer. It reads words, not meaning.

A claim is a sentence, cut at semicolons too. It is supported by a quotation that the post holds, or by `MIN_WORDS`
telling words in the runs of letters it shares with the post: pairs of Chinese letters, English words and numbers that
are not in every post. All persons are read as one: a layer says she where the post says I.

A claim without words of the post need not be wrong: L2 is made of guesses, and what a layer says in other words is not
found. Nor is a claim with them right: the words may stand there for something else.

Share of claims called supported, hand-written chains (`training/seed_chains`), by the own post / by another chain's:

    MIN_WORDS      1             2             3
    L1, 240 zh     0.94 / 0.25   0.89 / 0.06   0.84 / 0.01
    L2, 240 zh     0.73 / 0.21   0.50 / 0.04   0.32 / 0.01
    L1, 24 en      0.91 / 0.26   0.74 / 0.01   0.63 / 0.00
    L2, 24 en      0.66 / 0.22   0.25 / 0.05   0.13 / 0.02

2 was chosen on these. Another post of the same topic gives no more (0.05, 0.04). By 240 posts of the public corpus,
which chose nothing: L1 0.01, L2 0.01. The English figures flatter: the list of common words was written by hand after a
look at these posts. Left out: families of emotion words (愧 for 后悔), which added one claim of L1 in a hundred in the
own post and three in another's; numbers in another spelling, which met by chance as often as not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.safety.lint_form import QUOTED, Span
from app.sentences import sentences

MIN_WORDS = 2
"""So many telling words in the runs that claim and post share support it."""
MIN_QUOTED_LETTERS = 3
"""What is quoted in fewer names a term more often than it repeats the post."""


@dataclass(frozen=True)
class Claim:
    """One claim at [start, end) of a layer.

    `spans` are the words of the post that it shares, in order; without support there may be some, too few to tell.
    `misquoted` are the places in the layer of what it quotes and the post does not hold.
    """

    start: int
    end: int
    spans: tuple[Span, ...]
    supported: bool
    misquoted: tuple[Span, ...]


def evidence(layer: str, post: str) -> tuple[Claim, ...]:
    """The claims of a layer in order, each with the words of the post (title and description) behind it."""
    told = _Told(post)
    return tuple(_claim(layer, start, end, told) for start, end in _claims(layer) if _LETTER.search(layer, start, end))


def _claims(layer: str) -> Iterator[Span]:
    quotes = [match.span() for match in QUOTED.finditer(layer)]
    for start, end in sentences(layer):
        for cut in _SEMICOLON.finditer(layer, start, end - 1):
            if not any(first < cut.start() < last for first, last in quotes):
                yield start, cut.start() + 1
                start = cut.end()
        yield start, end


_SEMICOLON = re.compile(r"[；;]\s*")
_ELLIPSIS = re.compile(r"…+|\.{3,}")
_CLAUSE = re.compile(r"[^，。、；：！？…—“”「」『』（）,.;:!?\"()\n]+")


def _claim(layer: str, start: int, end: int, told: _Told) -> Claim:
    spans: set[Span] = set()
    words = sum(told.shared(_letters(clause[0]), spans) for clause in _CLAUSE.finditer(layer, start, end))
    supported = words >= MIN_WORDS
    misquoted = []
    for quote in QUOTED.finditer(layer, start, end):
        parts = [letters for part in _ELLIPSIS.split(quote[0]) if len(letters := _letters(part)) >= MIN_QUOTED_LETTERS]
        places = [told.longest(part) for part in parts]
        if any(length < len(part) for part, (length, _) in zip(parts, places, strict=True)):
            misquoted.append(quote.span())
        elif parts:
            supported = True
            spans.update(place for _, each in places for place in each)
    return Claim(start, end, _joined(spans), supported, tuple(misquoted))


def _joined(spans: set[Span]) -> tuple[Span, ...]:
    """In order, those that overlap made one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(joined)


_HAN = "\u3400-\u9fff"
_LETTER = re.compile(rf"写信人|来信人|求助者|当事人|[{_HAN}]|\d+|[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)*")
_PERSON = "我"
_PERSONS = {"写信人", "来信人", "求助者", "当事人", *"您你妳他她它"}


def _letters(text: str) -> list[str]:
    """The text without punctuation: Chinese letters, and words and numbers whole; all persons as 我."""
    return [_letter(match[0]) for match in _LETTER.finditer(text)]


def _letter(written: str) -> str:
    return _PERSON if written in _PERSONS else written.lower().replace("’", "'")


class _Told:
    """The post, to be searched for runs of letters."""

    def __init__(self, post: str):
        matches = list(_LETTER.finditer(post))
        self._spans = [match.span() for match in matches]
        self._letters = [_letter(match[0]) for match in matches]
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, letter in enumerate(self._letters):
            self._places[letter].append(place)

    def shared(self, letters: Sequence[str], spans: set[Span]) -> int:
        """Add the places of the runs that tell something, taken from the left; returns the telling words in them."""
        words = at = 0
        while at < len(letters):
            length, places = self.longest(letters[at:])
            if telling := _telling(letters[at : at + length]):
                words += telling
                spans.update(places)
            at += max(1, length)
        return words

    def longest(self, letters: Sequence[str]) -> tuple[int, list[Span]]:
        """The length of the longest run from the first letter on that the post holds, and where it stands there."""
        longest = 0
        found: list[int] = []
        for place in self._places.get(letters[0], ()):
            length = 1
            for said, told in zip(letters[1:], self._letters[place + 1 : place + len(letters)], strict=False):
                if said != told:
                    break
                length += 1
            if length > longest:
                longest, found = length, []
            if length == longest:
                found.append(place)
        return longest, [(self._spans[place][0], self._spans[place + longest - 1][1]) for place in found]


def _telling(run: Sequence[str]) -> int:
    """How many words of a run are not in every post: pairs of Chinese letters, English words, numbers."""
    return sum(map(_tells, run)) + sum(map(_pair_tells, run, run[1:]))


def _tells(word: str) -> bool:
    if word.isdigit():
        return len(word) > 1
    return not _is_han(word) and len(word) >= 4 and word not in _COMMON_WORDS


def _pair_tells(one: str, other: str) -> bool:
    if not (_is_han(one) or _is_han(other)) or _PERSON in (one, other):
        return False
    return one + other not in _COMMON_PAIRS and not (one in _LIGHT and other in _LIGHT)


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff"


_LIGHT = frozenset("的了是不在有就也都很和到得着这那们一")
_COMMON_PAIRS = frozenset(
    (
        "自己 觉得 怎么 知道 没有 什么 但是 一个 不知 感觉 时候 现在 么办 因为 该怎 总是 一直 己的 真的 问题 最近 "
        "感到 还是 这样 一些 的时 这个 别人 可是 朋友 得自 可能 事情 生活 心理 喜欢 开始 如何 的人 可以 工作 应该 "
        "有时 希望 担心 很多 害怕 道该 情绪 这种 为什 无法 已经 关系 不想 不好 非常 时间 的事 而且 所以 很难 发现 "
        "个人 经常 这些 的感 甚至 一起 父母 学习 特别 好的 如果 需要 理解 样的 孩子 人的 的情 还有 不会 起来 压力 "
        "好像 每次 觉自 是因 就会 焦虑 每天 女生 咨询 或者 变得 不能 其实 只是 尝试 影响 建议 帮助 岁的 该如 面对 "
        "越来 来越 有点 的女 然后 痛苦 有什 之前 心里 方法 也没 家庭 有些 一下 改变 才能 比较 沟通 以前 虽然 情况 "
        "询师 看到 努力 理咨 能够 控制 的生 一样 想法 家里 的关 遇到 一次 想要 很好 一点 的话 内心 个月 确实 感情 "
        "愿意 解决 不太 难受 老师 导致 感受 抑郁 妈妈 很大 个问 都没 告诉 并不 的想 的问 的心 后来 是个 同学 支持 "
        "能是 家人 是否 接受 找到 之后 发生 不敢 原因 说话 都会 出来 不住 之间 去了 相处 有人 会有 晚上 天都 学校 "
        "开心 谢谢 的方 困扰 总觉 一种 方式 交流 东西 那么 不错 关心 容易 这让 望能 选择 今年 这么 己很 也会 从小 "
        "比如 状态 是觉 心情 下去 不够 小时 怎样 不喜 行为 的建 很困 在家 己不 道怎 对自 大学 结婚 方面 经历 兴趣 "
        "成绩 男生 人都 两个 认为 难过 的男 困惑 以后 紧张 为了 处理 曾经 突然 大的 表达 能力 出现 正常 伤害 来的 "
        "受到 的家 失去 直在 想到 男朋 产生 觉很 任何 一年 对方 间的 会不 心的 严重 未来 恋爱 结果 生气 身边 说的 "
    ).split()
)
"""Pairs that stand in more than 1 in 20 of 23,822 posts of the training split; those of two light letters left out."""

_COMMON_WORDS = frozenset(
    (
        "about after again also always another back because been before being both came come could days does doing "
        "done down each even ever every everything feel feels felt find found from gave give going good hard have "
        "having here into just keep kept know last left life like little long look made make makes many maybe mean "
        "more most much must myself need never nothing once only other over people perhaps real really right said "
        "same says seems should since some somebody someone something still such sure take tell than that their them "
        "then there these they thing things think this those though three through time times told took under until "
        "very want wants week well went were what when where which while whole will with without work would year "
        "years your"
    ).split()
)
"""The same for English, by hand: 24 posts are too few to count in."""
