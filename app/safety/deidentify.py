"""De-identification by rule: what names a person, a place or an account is found and replaced by what it was.

Rules see forms and contexts. A name of unusual shape in running text stays, so a person reads every text before it leaves
a centre. Every rule begins with a character that is rare in prose, because `re` then skips ahead to it, and every
repetition is bounded, so that no text makes a rule slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from app.safety.help_lines import help_lines

Kind = Literal["电话", "邮箱", "网址", "证件号", "账号", "车牌", "地址", "单位", "姓名", "出生日期"]


@dataclass(frozen=True)
class Finding:
    """A stretch of a text, [start, end), and what it is."""

    start: int
    end: int
    kind: Kind


class _Rule(NamedTuple):
    """What is found is the group `it` of the pattern, else all of it. With a `lead`, the pattern is only the ending, and
    the finding begins where `lead`, read in the characters before, begins: endings are rare, beginnings are not."""

    kind: Kind
    pattern: re.Pattern[str]
    lead: re.Pattern[str] | None = None


def _rule(kind: Kind, pattern: str, lead: str = "") -> _Rule:
    return _Rule(kind, re.compile(pattern, re.ASCII), re.compile(f"(?:{lead})$", re.ASCII) if lead else None)


# Full-width letters, digits and signs are read as their narrow twins: one character for one, so that offsets hold.
_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ＠＃．－＿＋]")
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F) if _WIDE.match(chr(wide))}

# 1. Numbers, dates, accounts. `\d(?<!\d.)` is the first digit of a run; the look back comes second for the sake of speed.
_GAP = "[-–—. ]"
_LINK = r"(?:号码|账号|[号是为叫:：]|[Ii][Dd]| is)*\s?"
_NUMERAL = "[零〇一二三四五六七八九十]"
_DATE = (
    r"(?:(?:(?:19|20)?\d\d ?年 ?\d\d? ?月 ?\d\d? ?[日号]?|(?:19|20)\d\d[-./]\d\d?[-./]\d\d?)(?!\d)"
    rf"|[一二][九零〇]{_NUMERAL}{{2}}年{_NUMERAL}{{1,2}}月{_NUMERAL}{{1,3}}[日号])"
)
_MONTHS = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_NICK = r"[A-Za-z][A-Za-z0-9_.-]{3,18}[A-Za-z0-9_-](?![A-Za-z0-9_@])"
_MARKED_NICK = rf"(?=[A-Za-z.]*[\d_-]){_NICK}"  # an English word is no account

_WITH_DIGITS = (
    _rule("证件号", r"\d(?<!\d.)\d{5}[ -]?(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])[ -]?\d{3}[\dXx](?!\w)"),
    _rule(
        "证件号",
        r"(?:身份证|[学工警]号|病历号|住院号|就诊卡|社保卡|准考证|护照|通行证|[Pp]assport)(?: number)?"
        rf"{_LINK}(?P<it>[A-Za-z]?\d{{5,18}}[Xx]?)(?!\w)",
    ),
    _rule("账号", r"\d(?<!\d.)\d{3}(?:[ -]?\d{4}){3}(?:[ -]?\d{1,3})?(?!\d)"),
    _rule(  # 13800138000, 138-0013-8000, 138 001 38000, 1380 0138 000, with or without the country
        "电话",
        r"[+018](?<!\d.)(?:(?<=\+)86[ -]?1|(?<=0)086[ -]?1|(?<=8)6[ -]?1|(?<=1))[3-9]\d"
        rf"(?:(?:{_GAP}?\d{{4}}){{2}}|{_GAP}\d{{3}}{_GAP}\d{{5}}|\d{_GAP}\d{{4}}{_GAP}\d{{3}})(?!\d)",
    ),
    _rule("电话", rf"[（(]?0(?<!\d.)\d{{2,3}}[）)]?{_GAP}?\d{{3,4}}{_GAP}?\d{{4}}(?:转\d{{1,6}})?(?!\d)"),
    _rule("电话", r"\+\d{1,3}(?:[ -]?\d{2,4}){2,4}(?!\d)"),
    _rule("电话", r"\(\d{3}\) ?\d{3}-\d{4}(?!\d)"),
    _rule("电话", r"[2-9](?<!\d.)(?!00-)\d\d-\d{3}-\d{4}(?!\d)"),  # 400 and 800 belong to firms and help lines
    _rule("电话", rf"(?:电话|座机|号码|联系方式){_LINK}(?P<it>[2-9]\d{{2,3}}[ -]?\d{{4}})(?!\d)"),
    _rule("账号", rf"(?:[Qq]{{1,2}}|扣扣?|企鹅)(?<![A-Za-z].)群?{_LINK}(?P<it>[1-9]\d{{4,10}})(?![\d元块分])"),
    _rule(
        "车牌",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼] ?[A-HJ-NP-Za-hj-np-z][·. -]?"
        r"(?=(?:[A-Za-z]*\d){3})[A-HJ-NP-Za-hj-np-z0-9]{4,6}[学警挂港澳]?(?!\w)",
    ),
    _rule("出生日期", rf"(?:出生|生日|生于)(?:年月日|日期|[是为在于]|[:：])*\s?(?P<it>{_DATE})"),
    _rule("出生日期", rf"[12\d一二](?<!\d.){_DATE}(?=出生|生[的人，])"),
    _rule(
        "出生日期",
        rf"(?:born on|born|birthday is|birthday:) (?P<it>{_MONTHS} \d\d?(?:st|nd|rd|th)?,? \d{{4}}|\d\d? {_MONTHS},? \d{{4}})",
    ),
)
