"""The road that a newcomer takes to a formatted draft: `Llama.create_completion` with our format as a grammar.

Beside our engine in `bench --peers`. Same file, tokens, threads, batches and settings of the draw; the order of the
sampler chain and the layout of the weights are the library's own. A process of its own: `python -m
app.bench.grammar_loop POLICY CONTEXT_TOKENS`, one JSON request a line, one JSON answer a line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

import llama_cpp.llama_cpp as L
from llama_cpp import Llama
from llama_cpp.llama_grammar import LlamaGrammar

from app.chain import gbnf
from app.engine.decode import BATCH_TOKENS, PENALTY_TOKENS
from app.engine.native import thread_count, writing_threads
from app.engine.protocol import Sampling


def main() -> None:
    """Answer {"ids": [...], "tokens": N, "seeds": [...]} with {"tokens": ..., "decode_s": ...} over all seeds."""
    path, context_tokens = sys.argv[1:]
    llama = Llama(
        path,
        n_ctx=int(context_tokens),
        n_batch=BATCH_TOKENS,
        n_ubatch=BATCH_TOKENS,
        last_n_tokens_size=PENALTY_TOKENS,
        verbose=False,
    )
    L.llama_set_n_threads(llama.ctx, writing_threads(llama.model), thread_count())
    for line in sys.stdin:
        request = json.loads(line)
        tokens, decode_s = run(llama, request["ids"], request["tokens"], request["seeds"])
        sys.stdout.write(json.dumps({"tokens": tokens, "decode_s": decode_s}) + "\n")
        sys.stdout.flush()


def run(llama: Llama, ids: list[int], most: int, seeds: Sequence[int]) -> tuple[int, float]:
    """Write one completion a seed, one after the other; tokens and seconds, without the reading of the prompt."""
    grammar = LlamaGrammar.from_string(gbnf())
    llama.create_completion(ids, max_tokens=1)  # reads the prompt, which the library then keeps
    tokens, began = 0, time.perf_counter()
    for seed in seeds:
        draw = Sampling(seed)
        completion = llama.create_completion(
            ids,
            max_tokens=most,
            temperature=draw.temperature,
            top_k=draw.top_k,
            top_p=draw.top_p,
            min_p=0.0,
            repeat_penalty=draw.repeat_penalty,
            seed=seed,
            grammar=grammar,
        )
        assert isinstance(completion, dict)  # it is not streamed
        tokens += completion["usage"]["completion_tokens"]
    return tokens, time.perf_counter() - began


if __name__ == "__main__":
    main()
