"""De-identification by rule: what names a person, a place or an account is found and replaced by what it was.

Rules see forms and contexts. A bare name in running text stays, so a person reads every text before it leaves a centre.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from app.safety.help_lines import help_lines

Kind = Literal["电话", "邮箱", "网址", "证件号", "账号", "车牌", "地址", "单位", "姓名", "出生日期"]


@dataclass(frozen=True)
class Finding:
    """A stretch of a text, [start, end), and what it is."""

    start: int
    end: int
    kind: Kind


_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚"
    "谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_REGIONS = (
    "北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古"
    "|广西|西藏|宁夏|新疆|香港|澳门|石家庄|太原|沈阳|大连|长春|哈尔滨|南京|苏州|无锡|杭州|宁波|温州|合肥|福州|厦门|南昌|济南|青岛|郑州|洛阳|武汉|长沙"
    "|广州|深圳|东莞|佛山|珠海|南宁|桂林|海口|成都|贵阳|昆明|西安|兰州|西宁|银川|乌鲁木齐"
)
_TITLES = "老师|医生|大夫|教授|主任|经理|局长|律师|警官|同学|先生|女士|阿姨|叔叔|校长|护士"
# What may stand before a name in running text; without it 高兴的同学 would hold a surname.
_BEFORE_NAME = r"(?:^|(?<=[\s，。！？、：；“”（(和跟对是找叫的给被让向与比])|(?<=名叫)|(?<=喜欢))"

_RULES: tuple[tuple[Kind, str], ...] = (
    ("邮箱", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ("网址", r"(?:https?://|www\.)[^\s，。；）)\u4e00-\u9fff]+"),
    ("证件号", r"(?<!\d)\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?!\d)"),
    ("账号", r"(?<!\d)\d{16,19}(?!\d)"),
    ("账号", r"(?<![A-Za-z])(?:QQ|qq|扣扣|企鹅)(?:号(?:码)?)?\s*(?:是|为|[:：])?\s*(?P<qq>[1-9]\d{4,10})(?!\d)"),
    (
        "账号",
        r"(?:微信|薇信|威信|VX|vx|Vx|wx|WX|WeChat|抖音|小红书|微博|支付宝)(?:号|账号|ID|id)?\s*(?:是|为|叫|[:：])?\s*"
        r"(?P<id>@?[A-Za-z][\w-]{4,19})",
    ),
    ("电话", r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)"),
    ("电话", r"(?<![\d-])0\d{2,3}[-— ]?\d{7,8}(?!\d)"),
    (
        "车牌",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·. ]?[A-HJ-NP-Z0-9]{5,6}(?![A-Za-z0-9])",
    ),
    (
        "地址",
        # At most ten characters back from the road, or to the region before it.
        rf"(?:(?:{_REGIONS})[\u4e00-\u9fff]{{0,12}}|[\u4e00-\u9fff]{{0,6}})(?:路|街|大道|巷|弄|胡同|小区|花园|苑|村)"
        r"\d{1,5}(?:号|栋|幢|座|弄)(?:楼|院)?(?:[\dA-Za-z]{1,4}(?:栋|幢|单元|号楼|座|室|号))*",
    ),
    (
        "单位",
        rf"(?:{_REGIONS})(?:省|市)?[\u4e00-\u9fff]{{0,8}}?(?:大学|学院|附中|实验中学|第[一二三四五六七八九十\d]+(?:中学|小学|医院)|[一二三四五六七八九十]中"
        r"|中学|小学|医院|公司|集团|派出所|监狱)",
    ),
    ("单位", r"清华大学|清华|北大|复旦|浙大|武大|中山大学|同济大学|中科大|人大附中|协和医院|华西医院"),
    ("出生日期", r"(?:出生于|生于|生日(?:是|为)?|出生日期[:：]?)\s*(?P<date>(?:19|20)\d{2}年\d{1,2}月\d{1,2}[日号])"),
    (
        "姓名",
        rf"(?:我叫|我的名字(?:是|叫)|本人叫|名叫|名字叫|他叫|她叫|真名叫?)(?P<name>[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})(?=[，。！？、；\s的]|$|今年|是|在|他|她|我)",
    ),
    ("姓名", rf"{_BEFORE_NAME}(?P<titled>[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})(?=(?:{_TITLES}))"),
    ("姓名", r"(?i:my name is|i am called) (?P<english>[A-Z][a-z]+(?: [A-Z][a-z]+)?)"),
)
_COMPILED = tuple((kind, re.compile(rule)) for kind, rule in _RULES)
# Words that a surname and a title enclose without being a name.
_NO_NAME = frozenset(
    {
        "高中",
        "高三",
        "高二",
        "高一",
        "方便",
        "任课",
        "白班",
        "金牌",
        "石油",
        "常驻",
        "文科",
        "武术",
        "马上",
        "万能",
        "易感",
        "于是",
        "任何",
        "高年级",
        "钱的",
        "何",
    }
)


def find(text: str) -> list[Finding]:
    """What identifies somebody, in the order of the text, without overlaps; numbers of help lines are left alone."""
    public = {line.number for line in help_lines()}
    found: list[Finding] = []
    for kind, rule in _COMPILED:
        for match in rule.finditer(text):
            named = match.lastgroup
            start, end = match.span(named) if named else match.span()
            if text[start:end] in public or text[start:end] in _NO_NAME:
                continue
            if all(end <= other.start or start >= other.end for other in found):
                found.append(Finding(start, end, kind))
    return sorted(found, key=lambda finding: finding.start)


def mask(text: str, findings: list[Finding]) -> str:
    """The text with every finding of `find` replaced by its kind in square brackets."""
    pieces: list[str] = []
    position = 0
    for finding in findings:
        pieces += (text[position : finding.start], f"[{finding.kind}]")
        position = finding.end
    return "".join((*pieces, text[position:]))
