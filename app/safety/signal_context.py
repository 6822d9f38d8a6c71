"""How a phrase is meant: who it is about, whether it is denied, and when it was, from the words around it.

All of it is read inside the sentence, so that nothing that is written elsewhere takes a signal away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.safety.folding import Folded

STOPS = "。、,.!?;:\n□"
"""What ends a clause of a folded text; □ covers what only reads like a signal."""

_SENTENCE_END = re.compile(r"[。!?\n]|\.(?=\s|$)")
_SENTENCE_CHARS = 160
_CLAUSE_CHARS = 24

_FILLER = (
    "真的|并|过|去|要|想|再|真|就|什么|任何|打算|考虑|动|产生|会|有|做|这种|那种|一点|因此|说|是|真心|到| "
    "|really|thought about|thinking about|thoughts of|going|planning|to|ever|any|have|had|feel|feeling|actively"
)
_DENIED = re.compile(
    "(?:(?<!有)没有?|从来?没|从未|从来?不|并不|(?<!会)不会|(?<![是要])不是|不曾|绝不|不至于|不打算|不考虑"
    rf"|\bnot|n't|\bnever|\bno|\bdont|\bdidnt) ?(?:{_FILLER}){{0,5}}$"
)
_REVERSED = re.compile(r"(?:(?<![是不])不|n't|\bnot|\bdont) ?$")

_FIRST = re.compile(r"我|自己|本人|俺|咱|\b(?:i|i'm|im|i've|ive|i'd|me|myself)\b")
_PERSON = (
    "(?<![因被跟和为对恨爱给让把害离])(?:[他她]|ta(?![a-z])|朋友|闺蜜|同学|室友|同事|网友|女儿|儿子|孩子|弟弟|妹妹|哥哥|姐姐|妈妈|爸爸"
    "|我[爸妈弟妹哥姐]|母亲|父亲|老公|老婆|丈夫|妻子|男友|女友|对象|前任|奶奶|爷爷|学生|女孩|男孩|有人|姑娘|亲戚|[表堂][弟妹哥姐]"
    r"|\b(?:s?he|they|friend|daughter|son|brother|sister|mother|father|mum|mom|dad|wife|husband|boyfriend|girlfriend"
    r"|roommate|cousin|student|kid)(?:'s)?\b)"
)
_OTHER = re.compile(_PERSON)
# What somebody does that makes the writer, not them, think of dying: 老公出轨想自杀.
_CAUSE = re.compile("骂|打|吵|逼|离开|出轨|分手|不要|不理|抛弃|[弄搞]得|让|害|面前|的话|这样|不在|去世|叫|(?<!产)后")
_QUOTED = re.compile(
    rf"{_PERSON}(?:[跟对和]我|告诉我|[^我。!?\n]){{0,8}}(?:[说讲喊发写回问哭闹]|留言|威胁|扬言|告诉|sa(?:id|ys)|told|texted|wrote)"
    '[^。!?\n]{0,8}[:"“「『][^。!?"”」』\n]{0,14}$'
)

_PAST = re.compile(
    "[0-9一二三四五六七八九十两几多]+年前|小时[候侯]|从小|以前|曾|那时|当时|当年|从前|前几年|早年|那年|去年|前年|童年"
    "|(?:小学|初中|高中|大学|青春期|[初高][一二三])的?时候?"
    r"|years? ago|used to|as a (?:kid|child|teen)|when i was|back then|in (?:high|middle) school"
)
_RECENT = re.compile(
    "昨|今[天晚早日]|刚|(?<!到)现在|目前|最近|又|这几天|这两天|[这上]周|[这上]个?月|礼拜|星期|前天|还在|仍"
    r"|yesterday|today|tonight|again|last night|last week|\bstill\b|\bnow\b"
)
_HABIT = re.compile(
    "天天|每|经常|总[是会]|老是|动不动|一直|至今|再[次打]|随时|不停|喝[^,。]{0,4}酒|喝多|\\bkeeps?\\b|\\bevery"
)


@dataclass(frozen=True)
class Context:
    """What the words around a phrase say of it."""

    of_another: bool
    denied: bool
    reversed: bool
    past: bool
    recent: bool


def read(folded: Folded, text: str, start: int, end: int) -> Context:
    """The context of the phrase [start, end) of `text`, the folded text with what is harmless covered."""
    first, last = _sentence(text, start, end)
    before, clause = text[first:start], text[_clause_start(folded, text, start) : start]
    recent = bool(_RECENT.search(text, first, last))
    past = bool(_PAST.search(text, first, last)) and not recent
    return Context(
        of_another=_is_of_another(clause) or bool(_QUOTED.search(before)),
        denied=bool(_DENIED.search(clause)),
        reversed=bool(_REVERSED.search(clause)),
        past=past,
        recent=recent or not past and bool(_HABIT.search(text, first, last)),
    )


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    first = max(0, start - _SENTENCE_CHARS)
    for found in _SENTENCE_END.finditer(text, first, start):
        first = found.end()
    stop = _SENTENCE_END.search(text, end, end + _SENTENCE_CHARS)
    return first, stop.start() if stop else min(len(text), end + _SENTENCE_CHARS)


def _clause_start(folded: Folded, text: str, start: int) -> int:
    first = start
    while first > max(0, start - _CLAUSE_CHARS) and text[first - 1] not in STOPS and not folded.gap(first):
        first -= 1
    return first


def _is_of_another(clause: str) -> bool:
    others = [found.end() for found in _OTHER.finditer(clause)]
    if not others:
        return False
    since = clause[others[-1] :]
    return not _FIRST.search(since) and not _CAUSE.search(since)


_GRADE = "(?:[初高][一二三123]|[一二三四五六七八九]年级)"
_WRITER_IS_YOUNG = re.compile(
    "(?:今年|我|才|刚)(?:[1-9]|1[0-7])(?:周?岁|[,。. ])"
    r"|1[0-7](?<!\d..)(?:周?岁|[, ]?[男女](?![士的人]))"
    "|十[一二三四五六七](?<![二三四五六七八九几]..)岁"
    f"|(?:我|今年|上|读|在|念|[,。]|^|\n|女|男){_GRADE}(?!.{{0,2}}(?:时|那年|毕业|开始|以前|之前|辍学))"
    "|我(?:还|只)?(?:是)(?:一?[个名])?(?:初中|高中|小学|中学)生|未成年"
    r"|\b(?:i'?m|i am|me) ?\(?1[0-7]\b(?! ?(?:weeks|days|months))|\b1[0-7] ?(?:yo\b|y/o|years? old|[fm]\b)"
)
_CHILD_IS_YOUNG = re.compile(
    "(?:女儿|儿子|孩子|闺女|弟弟|妹妹|我[弟妹]|侄[子女]|学生|[表堂][弟妹]|外甥女?)[^。!?\n]{0,8}?"
    f"(?:(?<!\\d)(?:[1-9]|1[0-7]|[一二三四五六七八九]|十[一二三四五六七]?)(?:周?岁|个?多?月|[,。]|天)|{_GRADE}|小学|幼儿园)"
    r"|\b(?:son|daughter|kids?|baby|brother|sister|child)\b[^.\n]{0,24}?\b(?:1[0-7]|[1-9])\b"
)


def young(text: str, *, children: bool) -> tuple[int, int] | None:
    """Where a folded text says that its writer is under 18, or, with `children`, that a child is."""
    found = _WRITER_IS_YOUNG.search(text) or (_CHILD_IS_YOUNG.search(text) if children else None)
    return found.span() if found else None
