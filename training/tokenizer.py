"""The tokenizer: byte-level BPE with Qwen2's pre-tokenizer, ChatML control tokens, each tag of the format one token.

What llama.cpp does with the exported vocabulary must equal what is done here, hence: the pattern is llama.cpp's
spelling of Qwen2's, there is no normalizer, and no token is longer than the 30 bytes its Python binding can print.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from app.chain import SYSTEM, TAGS, neutral
from training.data.dialogues import read_dialogues
from training.recipe import Recipe

PRE_TOKENIZER = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MAX_TOKEN_BYTES = 30

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{%- generation -%}{{- message['content'] + '<|im_end|>' -}}{%- endgeneration -%}{{- '\\n' -}}"
    "{%- else -%}{{- message['content'] + '<|im_end|>\\n' -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
"""ChatML, equal to `app.chain.prompt_pieces`; only assistant text and its end token are trained on."""


def _corpus(data: Path, dialogues: int):
    yield "system\n user\n assistant\n" + SYSTEM
    taken = 0
    for dialogue in read_dialogues(data, "train"):
        yield from (neutral(turn) for turn in (*dialogue.client, *dialogue.counselor))
        yield "user\nassistant\n"
        taken += 1
        if taken == dialogues:
            return


def train_tokenizer(recipe: Recipe, data: Path, out: Path) -> PreTrainedTokenizerFast:
    """Learn the merges from training dialogues and save the tokenizer to `out`.

    Tags are added but not special: a reward function that decodes with `skip_special_tokens` must still see them.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.tokenizer.vocab_size - len(TAGS),
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(data, recipe.tokenizer.dialogues), trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in TAGS])
    end, pad = "<|im_end|>", "<|endoftext|>"
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=pad, bos_token=pad)
    wrapped.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(out)
    return wrapped
