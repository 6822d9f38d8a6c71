"""The Chain-of-Empathy format. Standard library only; the one package that training, storage and the desk share."""

from app.chain.grammar import gbnf
from app.chain.parser import format_reward, parse
from app.chain.prompt import (
    PROMPT_VERSION,
    SYSTEM,
    Piece,
    messages,
    post_text,
    prompt_pieces,
    scored_answer,
    scored_post,
)
from app.chain.spec import (
    ANSWER_TAG,
    CHAIN_TAG,
    FORMAT_VERSION,
    LAYERS,
    SECTIONS,
    TAGS,
    FormatError,
    Layer,
    Response,
    frame,
    neutral,
    render,
)

__all__ = [
    "ANSWER_TAG",
    "CHAIN_TAG",
    "FORMAT_VERSION",
    "LAYERS",
    "PROMPT_VERSION",
    "SECTIONS",
    "SYSTEM",
    "TAGS",
    "FormatError",
    "Layer",
    "Piece",
    "Response",
    "format_reward",
    "frame",
    "gbnf",
    "messages",
    "neutral",
    "parse",
    "post_text",
    "prompt_pieces",
    "render",
    "scored_answer",
    "scored_post",
]
