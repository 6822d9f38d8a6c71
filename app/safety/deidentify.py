"""De-identification by rule: what names a person, a place or an account is found and replaced by what it was.

Rules see forms and contexts. A name of unusual shape in running text stays, so a person reads every text before it
leaves a centre. Every rule begins with characters written out, because `re` then skips ahead to them (not so after a
look-around, an optional part or a class inside an alternative), and every repetition is bounded, so that no text makes
a rule slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from app.safety.help_lines import help_lines
from app.safety.names import CITIES, GIVEN, NOT_NAMES, PLAIN_SURNAMES, SURNAMES

Kind = Literal["电话", "邮箱", "网址", "证件号", "账号", "车牌", "地址", "单位", "姓名", "出生日期"]


@dataclass(frozen=True)
class Finding:
    """A stretch of a text, [start, end), and what it is."""

    start: int
    end: int
    kind: Kind


class _Rule(NamedTuple):
    """What is found is the group `it` of the pattern, else all of it.

    With a `lead`, the pattern is only the ending, and the finding begins where `lead` (or its group `it`), read in the
    characters before, begins: endings are rare, beginnings are not.
    """

    kind: Kind
    pattern: re.Pattern[str]
    lead: re.Pattern[str] | None = None


_LEAD_CHARS = 32


def _rule(kind: Kind, pattern: str, lead: str = "") -> _Rule:
    return _Rule(kind, re.compile(pattern, re.ASCII), re.compile(f"(?:{lead})$", re.ASCII) if lead else None)


# Full-width letters, digits and signs are read as their narrow twins: one character for one, so that offsets hold.
_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ＠＃．－＿＋]")
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F) if _WIDE.match(chr(wide))}

# 1. Numbers: only where there is a digit. `\d(?<!\d.)` is the first digit of a run, the look back put second for speed.
_DIGIT = re.compile("[0-9]")
_GAP = "[-–—. ]"
_LINK = r"(?:号码|账号|[号是为叫:：]|[Ii][Dd]|is)*\s?"

_WITH_DIGITS = (
    _rule("证件号", r"\d(?<!\d.)\d{5}[ -]?(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])[ -]?\d{3}[\dXx](?!\w)"),
    _rule(
        "证件号",
        r"(?:身份证|学号|工号|警号|病历号|住院号|就诊卡|社保卡|准考证|护照|通行证|passport|Passport)(?: number )?"
        rf"{_LINK}(?P<it>[A-Za-z]?\d{{5,18}}[Xx]?)(?!\w)",
    ),
    _rule("账号", r"\d(?<!\d.)\d{3}(?:[ -]?\d{4}){3}(?:[ -]?\d{1,3})?(?!\d)"),
    _rule(  # 13800138000, 138-0013-8000, 138 001 38000, 1380 0138 000, with or without the country
        "电话",
        r"[+018](?<!\d.)(?:(?<=\+)86[ -]?1|(?<=0)086[ -]?1|(?<=8)6[ -]?1|(?<=1))[3-9]\d"
        rf"(?:(?:{_GAP}?\d{{4}}){{2}}|{_GAP}\d{{3}}{_GAP}\d{{5}}|\d{_GAP}\d{{4}}{_GAP}\d{{3}})(?!\d)",
    ),
    _rule(
        "电话", rf"[（(0](?<!\d.)(?:(?<=0)|0)\d{{2,3}}[）)]?{_GAP}?\d{{3,4}}{_GAP}?\d{{4}}(?: ?转 ?\d{{1,6}})?(?!\d)"
    ),
    _rule("电话", r"\+\d{1,3}(?:[ -]?\d{2,4}){2,4}(?!\d)"),
    _rule("电话", r"\(\d{3}\) ?\d{3}-\d{4}(?!\d)"),
    _rule("电话", r"[2-9](?<!\d.)(?!00-)\d\d-\d{3}-\d{4}(?!\d)"),  # 400 and 800 belong to firms and help lines
    _rule("电话", rf"(?:电话|座机|号码|联系方式){_LINK}(?P<it>[2-9]\d{{2,3}}[ -]?\d{{4}})(?!\d)"),
    _rule("账号", rf"[Qq扣企](?<![A-Za-z].)[Qq扣鹅]?群?{_LINK}(?P<it>[1-9]\d{{4,10}})(?![\d元块分])"),
    _rule("账号", rf"(?:微信|薇信|威信|抖音|快手|小红书|微博|支付宝){_LINK}(?<=[号:：])\s?(?P<it>\d{{6,12}})(?!\d)"),
    _rule(
        "车牌",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼] ?[A-HJ-NP-Za-hj-np-z] ?[·.-]?"
        r"(?=(?:[A-Za-z]*\d){3}) ?[A-HJ-NP-Za-hj-np-z0-9]{4,6}[学警挂港澳]?(?!\w)",
    ),
)

# 2. Nets, accounts, dates of birth.
_CHANNEL = (
    "微信|薇信|威信|V信|v信|微❤|微博|卫星|抖音|快手|小红书|支付宝|VX|Vx|vx|WX|Wx|wx|WeChat|Wechat|wechat"
    "|ins(?<![A-Za-z]...)|Telegram|telegram"
)
_NICK = r"@?[A-Za-z][A-Za-z0-9_.-]{3,18}[A-Za-z0-9_-](?![A-Za-z0-9_@])"
_MARKED_NICK = rf"(?=@|[A-Za-z.]*[0-9_-]){_NICK}"  # an English word alone is no account
_NUMERALS = r"\d零〇一二三四五六七八九十"
_SPOKEN = _NUMERALS + "幺两壹贰叁肆伍陆柒捌玖"
_DATE = (
    rf"[\d一二](?<!\d.)[{_NUMERALS}]{{1,3}} ?[年./-] ?[{_NUMERALS}]{{1,3}} ?[月./-] ?[{_NUMERALS}]{{1,3}}(?: ?[日号])?"
)
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"

_ANYWHERE = (
    _rule(
        "邮箱",
        r"(?:@|#|\(at\)|\[at\]|艾特) ?(?:[A-Za-z0-9-]{1,40}[.点]){1,4}[A-Za-z]{2,10}",
        r"[A-Za-z0-9][A-Za-z0-9._%+-]* ?",
    ),
    # Anything printable may follow in a net address, but for brackets: they are the edges of what was found before.
    _rule("网址", r"://[!-Z^-~]{2,1000}(?<![.,;:!?'\"])", "[Hh][Tt][Tt][Pp][Ss]?"),
    _rule("网址", r"[Ww](?<!\w.)[Ww]{2}\.[!-Z^-~]{2,1000}(?<![.,;:!?'\"])"),
    _rule(
        "网址",
        r"\.(?:(?:com|cn|net|org|edu|gov|cc)(?:\.[a-z]{2})?(?![\w.-])(?:/[!-Z^-~]{0,1000})?|[a-z]{2}/[!-Z^-~]{1,1000})"
        r"(?<![.,;:!?'\"])",
        r"[A-Za-z0-9][A-Za-z0-9.-]*",
    ),
    _rule("账号", rf"(?:{_CHANNEL})(?:账号|[号是叫:：]| ?ID is| ?ID)+\s?(?P<it>{_NICK})"),
    _rule("账号", rf"(?:{_CHANNEL})(?: is |是|搜)?\s?(?P<it>{_MARKED_NICK})"),
    _rule("账号", r"微博\s?(?P<it>@[\w\u4e00-\u9fff-]{2,20})"),
    _rule("账号", rf"[Vv微薇威](?:我|(?<=[加我➕+].))[:：]?\s?(?P<it>{_MARKED_NICK})"),  # v我, 加v, 加我薇
    _rule("电话", rf"[一幺壹](?<![{_SPOKEN}].)[三四五六七八九叁肆伍陆柒捌玖](?:[ -]?[{_SPOKEN}]){{9}}(?![{_SPOKEN}])"),
    _rule("出生日期", rf"(?:出生|生日|生于|DOB)(?:年月日?|日期|[是为在于]|[:：])*\s?(?P<it>{_DATE})"),
    _rule("出生日期", rf"{_DATE}(?=[，,]?[我的女儿子孩他她宝]{{0,4}}(?:出生|生[的人，]))"),
    _rule(
        "出生日期",
        rf"(?:born on|birthday is|birthday:) (?P<it>{_MONTH} \d\d?(?:st|nd|rd|th)?,? \d{{4}}|\d\d? {_MONTH},? \d{{4}})",
    ),
)

# 3. Places and bodies. A name of one is read back from its ending to a character that names do not hold.
_NAMED_CHAR = (
    r"[^\x00-\u4dff\ua000-\U0010ffff的了在于是到从往去来进住读上下过把被把让给叫和与跟及或而且但就也都还又很太更最非常没不"
    r"我你您他她它们这那哪某每各个所家座间条种位有无为因所以如何什么啊吧呢吗呀已经将要会能可想说问当像比用靠送考报转租搬寄]"
)
_NAMED = f"(?:{_NAMED_CHAR}|上海|和平|协和|成都|首都)"
_CITY_STARTS = "".join(sorted({city[0] for city in CITIES.split("|")}))
_CITY = f"(?=[{_CITY_STARTS}])(?:{CITIES})"  # one look spares 250
_PARTS = rf"{_CITY}|{_NAMED}{{2,3}}[市县区州旗镇乡](?<![城都][市镇])(?<![地山小社校郊]区)(?<![乡小城集]镇)"
_COUNT = "一二三四五六七八九十百"
_DOOR = rf"(?:[甲乙]?\d{{1,5}}(?:-\d{{1,4}})?|[A-Za-z]|[{_COUNT}]{{1,5}})"
_DOORS = (
    rf"(?:\s?{_DOOR}\s?(?:号[楼院]?|[栋幢座室层院弄]|单元|楼)(?![下上面线])){{0,4}}"
    r"(?:\s?\d{1,4}(?:-\d{1,4})?(?![\d元块万]))?"
)
_SITE = rf"(?:{_PARTS}){_NAMED}{{0,18}}|{_NAMED}{{1,6}}(?<!小)|{_NAMED}{{2,5}}小"  # not the bare 小 of 我们小区
_PLAIN = (  # kinds of schools and firms, not names of them
    "普通|重点|私立|公立|民办|公办|名牌|贵族|寄宿|国际学|农村|乡村|乡镇|山村|县城|城里|城市|当地|本地|外地|附近|同一|另一|全日制|职业|技工|技术|专科|高等|高级"
    "|希望|一般|实验[中小学]|体育|艺术|音乐|美术|外国|双语|老家|初级|完全|封闭|培训|特殊|聋哑|大学|中学|小学|初中|高中|幼儿|学校|医院|理想|顶尖|一流|著名"
    "|省|市|县|镇|全|正规|刚|觉得|成人|老年|网络|一本|二本|三本|双一流|现在|整个|后来|爸|妈|自己|孩子|同学|同事|儿子|女儿|打工|工作|国内|国外|外资|大型|上市|互联网"
)
_SCHOOL = "外国语学校|实验学校|大学(?![生城])|学院|中学(?![生习会到着得])|小学(?!生)|幼儿园|学校|附中|附小|书院"
_OFFICE = "医院|卫生中心|监狱|看守所|戒毒所|派出所|法院|检察院|公安局|铁路局|分行|支行"

_PLACES = (
    _rule(
        "地址",
        rf"[路街道巷弄同段](?<![^大]道)(?<![^胡]同)(?<![^{_COUNT}东西南北中]段)(?<![一逛走上沿公铁出网思马]路)(?<![逛上]街)[东西南北中]?"
        rf"\s?{_DOOR}\s?(?:号[院楼](?![下上])|[号弄院](?![线出]))(?<![\d ][A-Za-z]号){_DOORS}"
        rf"(?:{_NAMED}{{1,6}}[园苑庭厦寓区]\s?{_DOOR}(?:号楼|[栋幢座]){_DOORS})?",
        _SITE,
    ),
    _rule(
        "地址",
        rf"[园苑庭村院城府湾区庄寓厦](?<![大学医法校公农山社市郊][区院园村])\s?{_DOOR}\s?"
        rf"(?:号[院楼](?![下上])|[栋幢座组室]|单元|号(?=\d)){_DOORS}",
        _SITE,
    ),
    _rule(  # a house and a room in it identify the estate, whatever its name ends with
        "地址",
        rf"\d(?<!\d.)\d{{0,3}}(?:号楼|[栋幢座])\s?(?:{_DOOR}\s?单元\s?)?\d{{3,4}}(?!\d)室?",
        rf"{_NAMED}{{2,8}}(?<!小区)",
    ),
    _rule(
        "地址",
        rf"[市县区旗](?<![地山小社校郊]区){_NAMED}{{2,4}}(?:[镇乡]|街道)(?<![乡城小]镇)(?:{_NAMED}{{1,4}}村)?",
        rf"{_CITY}{_NAMED}{{0,18}}|{_NAMED}{{2,4}}",
    ),
    _rule(
        "地址",
        r" (?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive|Boulevard)\b(?:, (?:Apt|Unit|Flat|Room)\.? ?\w{1,5})?",
        r"\d{1,5}(?: [A-Z][a-z]+){1,3}",
    ),
    _rule(
        "单位",
        r"(?:清华|复旦|浙大|武大|哈工大|北师大|华师大|中科大|国科大|西工大|北航|同济|人大附中|北(?<![东西华河湖台].)大)"
        r"(?![部多概门街荒郎道型])(?:大学|院)?(?:附属医院|附中|附小)?",
    ),
    _rule("单位", rf"有限(?:责任)?公司(?:{_NAMED}{{2,6}}分公司)?", rf"{_NAMED}{{2,16}}"),
    _rule("单位", r"集团(?:公司)?(?<!(?:诈骗|犯罪|传销)集团)", rf"(?<!{_NAMED_CHAR})(?!{_PLAIN}){_NAMED}{{2,6}}"),
    _rule(
        "单位",
        rf"(?:{_SCHOOL})(?:{_NAMED}{{0,6}}附属{_NAMED}{{0,6}}(?:医院|中学|小学|幼儿园)|附中|附小)?",
        rf"(?:{_PARTS})(?:省|市)?(?!{_PLAIN}){_NAMED}{{0,10}}|(?:毕业于|就读于|考[上进入]了?)(?P<it>(?!{_PLAIN}){_NAMED}{{2,6}})",
    ),
    _rule(
        "单位",
        r"(?:中学(?![生习会到着得])|小学(?!生)|幼儿园|附中|附小|书院|监狱|派出所|实验学校|国际学校|外国语学校)",
        rf"(?<=[在于进到入了])(?!{_PLAIN}|中心|第){_NAMED}{{2,4}}",
    ),
    _rule(
        "单位",
        rf"(?:{_OFFICE})",
        rf"(?:{_PARTS})(?:省|市)?(?!{_PLAIN}){_NAMED}{{0,10}}|中国(?:农业|工商|建设)?银行{_NAMED}{{0,6}}"
        "|协和|华西|湘雅|安定",
    ),
    _rule("单位", rf"中(?<=[{_COUNT}]中)(?![学心国间午等])", rf"{_CITY}市?第?[{_COUNT}]{{1,3}}"),
    _rule(
        "单位",
        "(?:制品|制造|电子|服装|制衣|玩具|机械|加工|食品|化工|印刷|家具|纺织)厂",
        rf"(?:{_PARTS}){_NAMED}{{2,10}}",
    ),
    _rule(
        "单位",
        r"(?:University|College|High School|Hospital)\b(?: of [A-Z][a-z]+)?",
        r"(?:(?!The|My|Our|This|In|At)[A-Z][a-z]+ ){1,3}",
    ),
)

# 4. Names: a surname and one or two characters, where the context or the characters themselves say that it is a name.
_TITLE = (
    "老师|医生|大夫|教授|主任|经理|局长|律师|警官|同学|先生|女士|阿姨|叔叔|校长|院长|护士|小姐"
    "|学长|学姐|师兄|师姐|咨询师"
)
_KIN = (  # as two characters, the last two of longer words
    "老公|丈夫|老婆|妻子|爱人|男友|女友|朋友|前任|前夫|前妻|对象|初恋|儿子|女儿|孩子|弟弟|妹妹|哥哥|姐姐|表哥|表姐|表弟|表妹|堂哥|堂姐|爸爸|妈妈"
    "|父亲|母亲|我爸|我妈|我哥|我姐|我弟|我妹|同桌|室友|舍友|同学|同事|闺蜜|好友|哥们|们儿|网友|领导|上司|老板|组长|班长|主任|老师|校长|邻居"
)
# What may follow a name in running text: no Chinese character, or one that seldom stands in a name.
_END = (
    r"(?=[^\u4e00-\u9fff]|$|今年|一直|总[是在]|经常|老是|也|都|是|在|他|她|我|你|的|和|跟|与|对|说|把|被|给|让|打|骂|出轨|这|因为|从|又|还|就|却|已|比|"
    f"{_TITLE})"
)
_ANY_NAME = (
    rf"(?!.(?:某|.?(?:{_TITLE})))(?:欧阳|司马|上官|诸葛|司徒|慕容|皇甫|夏侯|[{SURNAMES}])"
    rf"[\u4e00-\u9fff](?<!{NOT_NAMES})(?:[\u4e00-\u9fff]{_END}|{_END})"
)
_SHORT_NAME = rf"[{GIVEN}](?<!{NOT_NAMES})"
_NAMES = (
    _rule(
        "姓名",
        rf"(?:我叫|名叫|姓名|名字|全名|真名|本人|署名)(?:[是叫为:：]|姓名)*\s?"
        rf"(?P<it>{_ANY_NAME}|[\u4e00-\u9fff]{{2,6}}·[\u4e00-\u9fff]{{2,8}})",
    ),
    _rule("姓名", rf"叫(?<![大喊尖吼吵惨惊嚎被].)(?P<it>{_ANY_NAME})"),
    _rule("姓名", rf"好(?:[，,！!。]\s?)?我是(?P<it>{_ANY_NAME})"),
    _rule("姓名", rf"[{SURNAMES}](?<=(?:{_KIN}).){_SHORT_NAME}(?:{_END}|[{GIVEN}])"),
    _rule(
        "姓名",
        rf"[{SURNAMES}](?<![^\s，。！？、：；“”（(\]和跟对是找的给被让向与比].){_SHORT_NAME}[{GIVEN}]?(?={_TITLE})",
    ),
    _rule(
        "姓名",
        rf"[{PLAIN_SURNAMES}](?<![紧夸主慌嚣扩]张){_SHORT_NAME}[{GIVEN}]"
        "(?<![一大小天])(?<!大学|大家|家庭|国家|权威|永远|正义|正念|平安|明信|全思)",
    ),
    _rule(
        "姓名",
        r"(?:My name is|my name is|I'm|I am|this is|called|named|husband|wife|son|daughter|boyfriend|girlfriend|friend"
        r"|brother|sister|boss|mother|father)(?:(?<=name is)|(?= [A-Z][a-z]+ (?:[A-Z]|is |was |has )))"
        r" (?P<it>(?!Chinese|English|American|British|So |Not )[A-Z][a-z]+(?: [A-Z][a-z]+)?)",
    ),
)


_OTHERS = (*_ANYWHERE, *_PLACES, *_NAMES)


@cache
def _public() -> frozenset[str]:
    """The digits of the help lines, with and without the area code."""
    numbers = [line.number for line in help_lines()]
    return frozenset(digits for number in numbers for digits in (number.replace("-", ""), number.split("-")[-1]))


def find(text: str) -> list[Finding]:
    """What identifies somebody, in the order of the text, without overlaps; numbers of help lines are left alone."""
    left = text.translate(_NARROW) if _WIDE.search(text) else text
    rules = (*_WITH_DIGITS, *_OTHERS) if _DIGIT.search(left) else _OTHERS
    found: list[Finding] = []
    before = -1
    while before < len(found):  # what is found makes an edge, beside which another rule may find more
        before = len(found)
        for rule in rules:
            new = list(_search(rule, left))
            found += new
            left = _blanked(left, new)
        names = {text[each.start : each.end] for each in found if each.kind == "姓名"}
        for name in sorted((name for name in names if name in left), key=lambda name: (-len(name), name)):
            # A Latin name is a word of its own, in Announcement there is no Ann; Chinese has no such edges.
            alone = rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" if name.isascii() else re.escape(name)
            new = [Finding(m.start(), m.end(), "姓名") for m in re.finditer(alone, left)]
            found += new
            left = _blanked(left, new)
    return sorted(found, key=lambda finding: finding.start)


def _search(rule: _Rule, text: str) -> Iterator[Finding]:
    free = 0
    for match in rule.pattern.finditer(text):
        start, end = match.span("it" if rule.pattern.groupindex else 0)
        if rule.lead:
            lead = rule.lead.search(text, max(free, start - _LEAD_CHARS), start)
            if not lead:
                continue
            start = lead.start("it") if rule.lead.groupindex and lead["it"] else lead.start()
        if rule.kind == "电话" and re.sub(r"\D", "", text[start:end]) in _public():
            continue
        yield Finding(start, end, rule.kind)
        free = end


def _blanked(text: str, findings: list[Finding]) -> str:
    """The text with every finding made invisible to the rules, at the same length, and edged as `mask` edges it."""
    pieces: list[str] = []
    position = 0
    for finding in findings:
        pieces += (text[position : finding.start], "[", "\0" * (finding.end - finding.start - 2), "]")
        position = finding.end
    return "".join((*pieces, text[position:]))


def mask(text: str, findings: list[Finding]) -> str:
    """The text with every finding of `find` replaced by its kind in square brackets."""
    pieces: list[str] = []
    position = 0
    for finding in findings:
        pieces += (text[position : finding.start], f"[{finding.kind}]")
        position = finding.end
    return "".join((*pieces, text[position:]))
