"""What a counselor may ask of a draft with one click, as text that the model reads in the chain.

A steer adds one sentence to the strategy; an aim takes the place of the intent. Both are ordinary text of a layer, so
the draft says what it was told, and a person can change it like any other word.
"""

from __future__ import annotations

import re
from typing import Literal

Steer = Literal["shorter", "warmer", "less_advice", "ask_more"]
Aim = Literal["listen", "understand", "advise"]

AIMED = "L3"
"""The layer that an aim replaces."""
STEERED = "L4"
"""The layer that a steer adds to."""

STEERS: dict[Steer, dict[str, str]] = {
    "shorter": {
        "zh": "回信写短：只留最要紧的两三句，一件事说一次。",
        "en": "Keep the answer short: only the two or three sentences that matter most, each thing said once.",
    },
    "warmer": {
        "zh": "语气再暖一些：多停在感受上，先让写信人觉得被听懂，再往下说。",
        "en": "Warm the tone: stay longer with the feelings, so that the writer feels understood before anything else.",
    },
    "less_advice": {
        "zh": "少给建议：最多留一小步，其余只倾听和回应。",
        "en": "Advise less: one small step at most, and otherwise only listen and reflect.",
    },
    "ask_more": {
        "zh": "多问少断定：用一两个开放的问题请写信人再说一些，不急着下结论。",
        "en": "Ask more: invite the writer to say more with one or two open questions, and draw no conclusion yet.",
    },
}

AIMS: dict[Aim, dict[str, str]] = {
    "listen": {
        "zh": "写信人此刻最需要有人把话听完、听懂，不急着要办法。",
        "en": "The writer above all needs somebody who hears them out and understands; solutions can wait.",
    },
    "understand": {
        "zh": "写信人想弄明白自己为什么会这样，需要有人一起理清来龙去脉。",
        "en": "The writer wants to understand why this happens to them and needs help to sort out how it came about.",
    },
    "advise": {
        "zh": "写信人希望得到具体的建议，想知道接下来可以怎么做。",
        "en": "The writer hopes for concrete advice and wants to know what can be done next.",
    },
}

_CHINESE = re.compile("[\u3400-\u9fff]")


def steered(strategy: str, steer: Steer) -> str:
    """The strategy with the steer's sentence behind it; once, however often it is asked for."""
    sentence = STEERS[steer][_language(strategy)]
    return strategy if sentence in strategy else f"{strategy}\n{sentence}"


def aimed(post: str, aim: Aim) -> str:
    """The intent that an aim sets for a post, in its language."""
    return AIMS[aim][_language(post)]


def _language(text: str) -> str:
    return "zh" if _CHINESE.search(text) else "en"
