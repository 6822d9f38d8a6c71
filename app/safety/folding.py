"""One spelling for what writers spell in many ways, with the way back to every character of the original.

Read as one: full and half width, capitals, traditional characters, curly apostrophes. Between two Chinese characters,
blanks, emoji and signs that end nothing (`自*杀`, `想 死`) are dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Only the characters that the phrases of this package hold: this is not a converter. One for one, so that offsets hold.
_TRADITIONAL = (
    "殺輕斷結釋離開還沒無麼為會說話講寫這個們過來時間樓頂橋樹藥農煙繩買準備後事遺書畫傷殘虐剛"
    "燒氣體煤臺陽爬車禍動掙脫從讓給對應該種滅報復試圖計劃決選處點勢戰勝癱媽爺奶孫兒爸姊舊與歲"
    "國級齡學強姦侵騷擾褻猥脅威鎖門關籠罵踢掐頭腦腕臉發現變壞錯誤負擔麵著樣實覺難絕遠閉雙長覺"
    "無夠膩熬撐堅續記憶憂鬱戀愛愴嗎別誰嚇傳單獨親拋棄裡裏歸場終極樂萬幾兩經總壓夢醒積攢銀錢證"
    "護產婦嬰檯邊淵墜臥軌鐵馬將盡淨盤隨陪葬墊養豬貓狗燙針劃圍毆勒贖蹤尾裸聊攝偷醫"
)
_SIMPLIFIED = (
    "杀轻断结释离开还没无么为会说话讲写这个们过来时间楼顶桥树药农烟绳买准备后事遗书画伤残虐刚"
    "烧气体煤台阳爬车祸动挣脱从让给对应该种灭报复试图计划决选处点势战胜瘫妈爷奶孙儿爸姐旧与岁"
    "国级龄学强奸侵骚扰亵猥胁威锁门关笼骂踢掐头脑腕脸发现变坏错误负担面着样实觉难绝远闭双长觉"
    "无够腻熬撑坚续记忆忧郁恋爱怆吗别谁吓传单独亲抛弃里里归场终极乐万几两经总压梦醒积攒银钱证"
    "护产妇婴台边渊坠卧轨铁马将尽净盘随陪葬垫养猪猫狗烫针划围殴勒赎踪尾裸聊摄偷医"
)
_FOLDED = (
    dict(zip(map(ord, _TRADITIONAL), _SIMPLIFIED, strict=True))
    | {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}
    | {ord("　"): " ", ord("’"): "'", ord("‘"): "'"}
)
_FOLDED |= {code: (chr(code) if code < 128 else str(_FOLDED[code])).lower() for code in (*range(65, 91), *_FOLDED)}

_HAN = "\u3400-\u9fff"
_IGNORED = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
_SIGNS = r" \t\u00a0*_/\\|+^~`·•.…\-—=#&@%$\u2000-\u200a\u2190-\u2bff\U0001f000-\U0001faff"
_DROPPED = re.compile(f"[{_IGNORED}]+|[{_SIGNS}](?<=[{_HAN}{_IGNORED}].)[{_SIGNS}{_IGNORED}]*(?=[{_HAN}4])")


@dataclass(frozen=True)
class Folded:
    """A text in one spelling; `places[i]` is where its character i stood in the original."""

    text: str
    places: range | list[int]

    def gap(self, position: int) -> bool:
        """Whether something was dropped before this character."""
        return 0 < position < len(self.text) and self.places[position] != self.places[position - 1] + 1


def fold(text: str) -> Folded:
    """The text in one spelling."""
    folded = text.translate(_FOLDED)
    parts: list[str] = []
    places: list[int] = []
    position = 0
    for dropped in _DROPPED.finditer(folded):
        parts.append(folded[position : dropped.start()])
        places.extend(range(position, dropped.start()))
        position = dropped.end()
    if not parts:
        return Folded(folded, range(len(folded)))
    places.extend(range(position, len(folded)))
    return Folded("".join((*parts, folded[position:])), places)
