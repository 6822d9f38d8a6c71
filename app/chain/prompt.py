"""What a model reads: the system prompt, the post, and the two sides of a scored pair.

Deviation: the paper shows its system prompt only as a picture; the wording here is ours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from app.chain.spec import ANSWER_TAG, CHAIN_TAG, LAYERS, neutral

SYSTEM = (
    f"你帮助心理咨询师起草回信。读完来信，先在 <{CHAIN_TAG}> 里逐层思考：\n"
    + "".join(f"<{layer.tag}> {layer.zh}：{layer.zh_brief}。\n" for layer in LAYERS)
    + f"再在 <{ANSWER_TAG}> 里写回信：像人对人说话，先回应感受再谈办法；不诊断，不打包票，不编造信里没有的事。"
)

PROMPT_VERSION = hashlib.sha256(SYSTEM.encode()).hexdigest()[:12]
"""Changes whenever the wording does; stored with every draft."""


@dataclass(frozen=True)
class Piece:
    """A stretch of prompt. Only `special` pieces may become control tokens; a post never is one."""

    text: str
    special: bool


def post_text(title: str, description: str) -> str:
    """Join title and description the one way that prompts, scores and training data share."""
    return f"{title}\n{description}" if title else description


def messages(post: str) -> list[dict[str, str]]:
    """The conversation up to the reply, as chat templates and trainers take it."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": neutral(post)}]


def prompt_pieces(post: str) -> tuple[Piece, ...]:
    """The ChatML prompt for a post, cut where control tokens may and may not be read."""
    pieces = []
    for message in messages(post):
        pieces.append(Piece(f"<|im_start|>{message['role']}\n", special=True))
        # The system prompt is ours and spells tags; the post is a stranger's and must stay text.
        pieces.append(Piece(message["content"], special=message["role"] == "system"))
        pieces.append(Piece("<|im_end|>\n", special=True))
    return (*pieces, Piece("<|im_start|>assistant\n", special=True))


def scored_post(post: str) -> str:
    """The post as the reward encoder reads it.

    Deviation: the paper encodes question and answer alike, so a copied post scores 1; the two roles are marked here.
    """
    return f"来信：{neutral(post)}"


def scored_answer(answer: str) -> str:
    """The answer as the reward encoder reads it."""
    return f"回信：{neutral(answer)}"
