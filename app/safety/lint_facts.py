"""The facts of a draft against its post: numbers, telephones, names; and what a draft lacks while signals stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from app.safety.deidentify import find
from app.safety.help_lines import help_lines
from app.safety.lint_form import Found, Span, unquoted
from app.safety.names import CITIES, GIVEN, NOT_NAMES, PLAIN_SURNAMES


def check(draft: str, post: str, parts: list[Span]) -> Iterator[Found]:
    """What the draft states and the post does not."""
    yield from _numbers(unquoted(draft), post)
    yield from _telephones(draft)
    yield from _names(draft, post, parts)


# A number is one where it speaks of people; in a proposal ("十分钟") it is none.
_DIGITS = {char: place for place, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_CHINESE = "".join((*_DIGITS, *_UNITS))
_NUMERAL = rf"(?:\d{{1,15}}(?:\.\d{{1,6}})?[百千万亿]?|[{_CHINESE}]{{1,15}})"
_FACT = re.compile(  # the numeral is taken whole, or 九万六 would be read as 九万
    rf"百分之(?P<share>{_NUMERAL})|(?<![\d.{_CHINESE}几第])(?P<number>(?>{_NUMERAL}))(?P<unit>\s?(?:"
    r"[%％]|岁|周岁|倍|成(?:的|以上|左右|人)|(?:年|个月|天|周|个星期)(?:了|来|以来|前|的(?:婚姻|感情|恋爱|时间))|元|块钱"
    r"|(?<=[百千])块|个人?(?:里|中)|(?<!一)个(?:孩子|儿子|女儿|姐姐|妹妹|哥哥|弟弟|兄弟|姐妹)|次(?:自杀|住院|分手)|年级|公?斤"
    r"|percent|[ -]?years?[ -](?:old|ago)))?"
)
_ANY_NUMBER = re.compile(_NUMERAL)
_VAGUE = re.compile("^一?[百千万亿]+$|^万一|[一二三四五六七八九][一二三四五六七八九]")  # 千万别, 一万句; 十三四岁


def _value(numeral: str) -> float:
    """The number written in Arabic ("41", "9.6万") or in Chinese ("四十一", "九万六")."""
    if numeral[0] not in _CHINESE:
        return float(numeral.rstrip("百千万亿")) * _UNITS.get(numeral[-1], 1)
    total, digits, unit = 0, 0, 1
    for char in numeral:
        if char in _DIGITS:
            digits = digits * 10 + _DIGITS[char]
            unit = unit if digits else 1  # 一百零五 is no 一百五
        elif char in "万亿":
            total, digits, unit = (total + digits) * _UNITS[char], 0, _UNITS[char]
        else:
            total, digits, unit = total + max(1, digits) * _UNITS[char], 0, _UNITS[char]
    return total + digits * (unit // 10 if unit > 10 and digits < 10 else 1)


def _numbers(draft: str, post: str) -> Iterator[Found]:
    told = {_value(match[0]) for match in _ANY_NUMBER.finditer(post)}
    for match in _FACT.finditer(draft):
        numeral = match["share"] or match["number"]
        counts = match["share"] or match["unit"] or re.search("[万亿]", numeral)
        if counts and not _VAGUE.search(numeral) and _value(numeral) not in told:
            yield "invented_number", *match.span()


_DIALLED = re.compile(
    r"(?:拨打|拨|打|热线|电话|致电|号码|座机|手机号|短信|联系|[Cc]all|[Tt]ext|[Dd]ial)"
    r"[^，。；！？\d\n]{0,12}(?P<it>\d[\d -]{1,14}\d)"
    r"(?![\d%％]|\s?[多来几]?(?:[年月日号点次个天分秒岁块元万条遍通]|小时))"
)
_SHAPED = re.compile(
    r"(?<![\d.-])(?P<it>[48]00[ -]?\d{3}[ -]?\d{4}|[48]00[ -]?\d{4}[ -]?\d{3}|1[3-9]\d[ -]?\d{4}[ -]?\d{4}"
    r"|0\d{2,3}[ -]?\d{7,8}|(?:12|95|96)\d{3,4}|1[12]\d(?=热线|报警|急救))"
    r"(?![\d%％]|\s?[多来几]?[年元块万])"
)
_SPOKEN_DIGITS = {ord(char): str(digit) for char, digit in (_DIGITS | {"幺": 1}).items()}
_SPOKEN = re.compile("(?P<it>(?:(?<=[打拨])[零〇一幺二三四五六七八九]{3,15}|[零〇一幺二三四五六七八九]{7,15}))")


@cache
def _verified() -> frozenset[str]:
    return frozenset(
        re.sub(r"\D", "", part) for line in help_lines() for part in (line.number, line.number.split("-")[-1])
    )


def _telephones(draft: str) -> Iterator[Found]:
    for pattern in (_DIALLED, _SHAPED, _SPOKEN):
        for match in pattern.finditer(draft):
            if re.sub(r"\D", "", match["it"].translate(_SPOKEN_DIGITS)) not in _verified():
                yield "unverified_number", *match.span("it")


_CITY_STARTS = "".join(sorted({city[0] for city in CITIES.split("|")}))
_CITY = re.compile(  # 相信阳光 holds 信阳, 不大同意 大同: only where a place is meant
    rf"(?:(?<=[在去到从回来住往离])(?:{CITIES})|(?=[{_CITY_STARTS}])(?:{CITIES})"
    "(?=市|省|那边|这边|人(?!生|际|民|事)|话|上学|读|工作|打工|的(?:学校|大学|医院|房|家|生活)))"
)
_TITLED = re.compile(
    rf"(?<![^\W找跟和问给叫的位去让请由，])[{PLAIN_SURNAMES}](?:老师|医生|大夫|教授|主任|阿姨|叔叔|同学|先生|女士)"
    rf"|(?<![^\n。！？])[{PLAIN_SURNAMES}][{GIVEN}]{{1,2}}(?<!{NOT_NAMES})[，,！!]"
    r"|(?<![^\n。！？])小(?!时|心|小)[\u4e00-\u9fff][，,！!]"
)
_RULE_OF_KIND = {kind: "invented_name" for kind in ("姓名", "单位", "地址")} | {
    kind: "contact" for kind in ("账号", "邮箱", "网址")
}


def _names(draft: str, post: str, parts: list[Span]) -> Iterator[Found]:
    for finding in find(draft):
        rule = _RULE_OF_KIND.get(finding.kind)
        if rule and draft[finding.start : finding.end] not in post:
            yield rule, finding.start, finding.end
    for match in _TITLED.finditer(draft):
        if match[0] not in post:
            yield "invented_name", *match.span()
    for match in _CITY.finditer(draft):
        if match[0] not in post and not any(
            first <= match.start() < last and _named_lines(draft[first:last]) for first, last in parts
        ):
            yield "invented_name", *match.span()


def _named_lines(text: str) -> list[str]:
    return [
        line.number
        for line in help_lines()
        if re.search(rf"(?<!\d){line.number}(?!\d|\s?[元块米斤平分万岁个公次k])", text)
    ]


_SUICIDAL = frozenset({"passive_ideation", "active_ideation", "plan", "method", "attempt"})
_ASKS_DEATH = re.compile(
    r"想死|去死|想过死|不想活|不活|活下去|自杀|轻生|结束(?:自己|你|生命)|不用醒|不醒|不在了|(?:伤害|伤着?|弄伤)(?:到|了)?(?:你)?自己|念头"
    r"|自己结束|这么没了|没了也行"
    r"|(?i:suicid|kill(?:ing)? yourself|end(?:ing)? (?:your|it|things)|(?:to|about|of) d(?:ie|ying)"
    r"|not be(?:ing)? alive|hurt(?:ing)? yourself)"
)
_ASKS_SAFETY = re.compile(
    r"安全|危险|平安|受伤|伤(?:口|着|得|到)|动手|抬起来|落到人身上|打你|再打|伤害|害怕|在(?:不在)?(?:旁边|身边|家)|(?i:\bsafe|hurt|danger|afraid)"
)


def missing(draft: str, parts: list[Span], signals: tuple[str, ...]) -> Iterator[str]:
    """The rules of what a draft lacks while signals stand."""
    if not signals:
        return
    # "那就是想死的念头。现在还有吗？": the sentence before a question says what it asks.
    befores = [0, *(start for start, _ in parts)]
    questions = [
        draft[befores[i] : end] for i, (start, end) in enumerate(parts) if re.search("[？?]", draft[start:end])
    ]
    if not any(
        _ASKS_DEATH.search(question) or (not _SUICIDAL & set(signals) and _ASKS_SAFETY.search(question))
        for question in questions
    ):
        yield "missing_question"
    if not _named_lines(draft):
        yield "missing_line"
