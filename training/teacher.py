"""The teacher of section 3.2 of arXiv:2509.14851: what it is asked, which of its replies are chains, where it is.

Deviation: the paper publishes neither the prompt nor what its authors threw away, so both are ours.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Literal
from urllib.parse import urlsplit

from openai import DefaultHttpxClient, OpenAI

from app.chain import ANSWER_TAG, CHAIN_TAG, LAYERS, FormatError, Response, parse
from training.data.seed_chains import LENGTHS, MIN_ECHO
from training.measure.metrics import echoed
from training.pairs import Pair
from training.recipe import RecipeError, SynthesizeRecipe

SHORTEST, LONGEST = LENGTHS["zh"]["layer"]
"""Characters of a layer, as in the chains written by hand."""
RETRIES = 5
"""How often a request is sent again after 429, 5xx or a broken connection; the wait doubles, or is what was asked."""

TASK = (
    "下面是一封来信，和一位咨询师写给这封信的回信。请写出咨询师动笔之前的思考：从来信出发一层一层想下去，"
    "最后自然会写出这样一封回信。\n只写下面这一段，前后不加别的文字，也不重写回信：\n"
    f"<{CHAIN_TAG}>\n"
    + "".join(f"<{layer.tag}>{layer.zh}：{layer.zh_brief}</{layer.tag}>\n" for layer in LAYERS)
    + f"</{CHAIN_TAG}>\n"
    f"每一层写 {SHORTEST} 到 {LONGEST} 字，连成一段，不列条目，不重复层名。{LAYERS[0].tag} 用“”引来信的原话。"
    f"{LAYERS[-1].tag} 里的打算，要正是这封回信做到的；这时回信还没有写，所以不要提起它。"
    "不诊断，不编造来信里没有的事，正文里不用尖括号。"
)

Reason = Literal["cut_off", "malformed", "answer_changed", "short", "copied", "unquoted"]


class Rejected(Exception):
    """A reply that is no chain for its post: why, and the advice that goes to the teacher with the next request."""

    def __init__(self, reason: Reason, advice: str):
        super().__init__(reason, advice)
        self.reason = reason
        self.advice = advice


def request(pair: Pair, advice: str) -> str:
    """The one message that the teacher reads; `advice` says what was wrong with its last reply, if there was one."""
    again = f"\n\n上一次写的没有用上：{advice}。请重写。" if advice else ""
    return f"{TASK}\n\n来信：\n{pair.post}\n\n回信：\n{pair.answer}{again}"


def checked(reply: str, pair: Pair) -> Response:
    """The response of a reply: its chain, then the human answer to the letter.

    What a reasoning model thinks before it, up to `</think>`, is dropped.

    Raises:
        Rejected: unless it parses, leaves the answer alone, fills every layer, copies none and quotes the post.
    """
    text = reply.rpartition("</think>")[2]
    if f"<{ANSWER_TAG}>" not in text:
        text += f"<{ANSWER_TAG}>{pair.answer}</{ANSWER_TAG}>"
    try:
        response = parse(text)
    except FormatError:
        raise Rejected("malformed", "没有照格式写，标签要依次各出现一次，标签外不能有文字") from None
    if response.answer != pair.answer:
        raise Rejected("answer_changed", "改动了回信，只写思考就好")
    chain = response.parts()
    del chain[ANSWER_TAG]
    for tag, layer in chain.items():
        if len(layer) < SHORTEST:
            raise Rejected("short", f"{tag} 只有 {len(layer)} 字，至少写 {SHORTEST} 字")
        if max(echoed(layer, pair.post), echoed(layer, pair.answer)) >= MIN_ECHO:
            raise Rejected("copied", f"{tag} 大段照抄了原文，要写自己的理解，引文只取几个字")
    if not echoed(response.L1 + response.L2, pair.post):
        raise Rejected("unquoted", f"{LAYERS[0].tag} 没有引来信的原话")
    return response


def on_this_machine(url: str) -> bool:
    """Whether an endpoint is on this machine, where nothing leaves it.

    Raises:
        RecipeError: for one elsewhere without encryption, or with a password in its address.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if "@" in parts.netloc:
        raise RecipeError("synthesize.url holds a name or a password, which the run would save; leave it out.")
    if not host or parts.scheme not in (("https", "http") if here else ("https",)):
        raise RecipeError(f"synthesize.url is {url}, but posts leave this machine over https alone; begin it so.")
    return here


def connect(settings: SynthesizeRecipe) -> OpenAI:
    """A client of the recipe's endpoint, with the key of its environment variable.

    Raises:
        RecipeError: for an endpoint that posts may not go to, or without a key.
    """
    here = on_this_machine(settings.url)
    key = os.environ.get(settings.key_variable)
    if not key and not here:
        raise RecipeError(f"{settings.key_variable} is not set; put the key of {settings.url} into it.")
    return OpenAI(
        base_url=settings.url,
        api_key=key or "none",
        timeout=settings.timeout_s,
        max_retries=RETRIES,
        # A redirect could lead anywhere, and a proxy is not this machine.
        http_client=DefaultHttpxClient(follow_redirects=False, trust_env=not here),
    )
