"""The yardstick of `bench`: the least Python around llama.cpp that reads a prompt and samples tokens.

Same model, context settings, threads and draws as our engine, but no tags, no text, no events and no way to stop: what
our engine's decode speed is compared with. A process of its own, like the engine: `python -m app.bench.bare_loop POLICY
CONTEXT_TOKENS`, one JSON request a line, one JSON answer a line.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import llama_cpp.llama_cpp as L

from app.engine.decode import BATCH_TOKENS, PENALTY_TOKENS
from app.engine.native import Vocab, load_model, new_context
from app.engine.protocol import Sampling


def main() -> None:
    """Answer {"prompt": [[text, special], ...], "tokens": N, "seed": S} with {"ids": [...], "decode_s": ...}.

    The ids are those of the prompt, so that a peer can be given the same ones.
    """
    path = Path(sys.argv[1])
    model = load_model(path, lambda: None)
    params = L.llama_context_default_params()
    params.n_ctx = int(sys.argv[2])
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.n_seq_max = params.n_outputs_max = 1
    context = new_context(model, params, path.name)
    vocab = Vocab(model)
    for line in sys.stdin:
        request = json.loads(line)
        ids = [token for text, special in request["prompt"] for token in vocab.tokens(text, special=special)]
        decode_s = run(context, vocab, ids, request["tokens"], Sampling(request["seed"]))
        sys.stdout.write(json.dumps({"ids": ids, "decode_s": decode_s}) + "\n")
        sys.stdout.flush()


def run(context: int, vocab: Vocab, ids: list[int], count: int, sampling: Sampling) -> float:
    """Seconds from the first sampled token to the last of `count`."""
    L.llama_memory_clear(L.llama_get_memory(context), False)
    for begin in range(0, len(ids), BATCH_TOKENS):
        feed(context, ids[begin : begin + BATCH_TOKENS])
    chain = sampler(vocab, sampling)
    token = L.llama_sampler_sample(chain, context, -1)
    began = time.perf_counter()
    for _ in range(count - 1):
        feed(context, [token])
        token = L.llama_sampler_sample(chain, context, -1)
    decode_s = time.perf_counter() - began
    L.llama_sampler_free(chain)
    return decode_s


def feed(context: int, ids: list[int]) -> None:
    """Append tokens to the one sequence."""
    tokens = (L.llama_token * len(ids))(*ids)  # the batch only points at them
    code = L.llama_decode(context, L.llama_batch_get_one(tokens, len(ids)))
    if code != 0:
        raise RuntimeError(f"llama_decode returned {code}")


def sampler(vocab: Vocab, sampling: Sampling) -> int:
    """The engine's chain, but only what would end the text early is banned: both must write equally many tokens."""
    ends = [L.llama_logit_bias(token, -math.inf) for token in range(vocab.size) if not vocab.is_text(token)]
    chain: int = L.llama_sampler_chain_init(L.llama_sampler_chain_default_params())
    for link in (
        L.llama_sampler_init_logit_bias(vocab.size, len(ends), (L.llama_logit_bias * len(ends))(*ends)),
        L.llama_sampler_init_top_k(sampling.top_k),
        L.llama_sampler_init_penalties(vocab.size, PENALTY_TOKENS, sampling.repeat_penalty, 0.0, 0.0),
        L.llama_sampler_init_top_p(sampling.top_p, 1),
        L.llama_sampler_init_temp(sampling.temperature),
        L.llama_sampler_init_dist(sampling.seed),
    ):
        L.llama_sampler_chain_add(chain, link)
    return chain


if __name__ == "__main__":
    main()
