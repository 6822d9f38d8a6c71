"""One round of `bench --peers`: the same post, the same number of tokens, every road to a draft after the other."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.bench.desk import stop_s
from app.bench.figures import Ask, bare
from app.bench.server import LlamaServer
from app.chain import SECTIONS, format_reward, prompt_pieces
from app.engine.llama import LlamaEngine
from app.engine.protocol import Delta, Finished, Reading, Sampling, Script, Section
from app.script import response_script

CANDIDATES = 4
REDRAFTED = "L4"


@dataclass(frozen=True)
class Written:
    """What a generation told: its last event, its whole texts, one a candidate, and the seconds it took in all."""

    done: Finished
    texts: list[str]
    parts: dict[str, str]
    """Of the first candidate, by section."""
    whole_s: float

    @property
    def rate(self) -> float:
        """Tokens a second of all candidates together."""
        return self.done.decode_tokens / self.done.decode_s


@dataclass(frozen=True)
class Roads:
    """What a round goes.

    Args:
        engine: ours, which keeps the system prompt from round to round.
        bare: `bare_loop`.
        grammar: `grammar_loop`.
        server: a running llama-server, if there is one.
        section_tokens: where every section is closed; None: at the desk's own caps.
    """

    engine: LlamaEngine
    bare: Ask
    grammar: Ask
    server: LlamaServer | None
    section_tokens: int | None

    def round(self, posts: Iterator[str], seed: int) -> dict[str, float]:
        """Every figure once, by its name."""
        post, seeds = next(posts), range(seed, seed + CANDIDATES)
        draft = self.write(post, response_script(), [seed])
        beside = bare(self.bare, post, draft.done.decode_tokens, seed)
        found = {"one": draft.rate, "one_bare": draft.done.decode_tokens / beside["decode_s"], "draft": draft.whole_s}

        four = self.write(post, response_script(), seeds)
        each = four.done.decode_tokens // CANDIDATES
        bare_s = sum(bare(self.bare, post, each, seed)["decode_s"] for seed in seeds)
        naive = self.grammar({"ids": beside["ids"], "tokens": each, "seeds": list(seeds)})
        found |= {"four": four.rate, "four_bare": CANDIDATES * each / bare_s}
        found["four_grammar"] = naive["tokens"] / naive["decode_s"]
        if self.server:
            one = self.server.tokens_a_second(beside["ids"], draft.done.decode_tokens, Sampling(seed))
            found["one_server"] = one
            found["four_server"] = self.server.tokens_a_second(beside["ids"], each, Sampling(seed), CANDIDATES)

        before = SECTIONS[: SECTIONS.index(REDRAFTED)]
        onward = self.write(post, response_script({name: draft.parts[name] for name in before}), [seed + CANDIDATES])
        others = {name: text for name, text in draft.parts.items() if name != REDRAFTED}
        layer = self.write(post, response_script(others, only=True), [seed + CANDIDATES])
        found |= {"redraft": onward.whole_s, "redraft_layer": layer.whole_s}

        texts = [*draft.texts, *four.texts, *onward.texts]
        found["format_valid"] = sum(map(format_reward, texts)) / len(texts)
        found["first_token"] = self.first_token_s(next(posts), 2 * draft.done.prompt_s)
        found["stop_reading"] = stop_s(self.engine, posts, Reading)
        return found | {
            "one_over_bare": found["one"] / found["one_bare"],
            "four_over_bare": found["four"] / found["four_bare"],
            "four_over_grammar": found["four"] / found["four_grammar"],
            "draft_over_redraft": found["draft"] / found["redraft"],
            "draft_over_redraft_layer": found["draft"] / found["redraft_layer"],
        }

    def write(self, post: str, script: Script, seeds: Sequence[int]) -> Written:
        """Have our engine write a script, one candidate a seed."""
        if self.section_tokens:
            script = tuple(
                replace(step, max_tokens=min(step.max_tokens, self.section_tokens))
                if isinstance(step, Section)
                else step
                for step in script
            )
        parts: dict[tuple[int, str], str] = defaultdict(str)
        began = time.perf_counter()
        for event in self.engine.generate(prompt_pieces(post), script, list(map(Sampling, seeds))):
            if isinstance(event, Delta):
                parts[event.candidate, event.section] += event.text
        whole_s = time.perf_counter() - began
        assert isinstance(event, Finished)
        texts = [
            "".join(step if isinstance(step, str) else parts[candidate, step.name] for step in script)
            for candidate in range(len(seeds))
        ]
        first = {section: text.strip() for (candidate, section), text in parts.items() if candidate == 0}
        return Written(event, texts, first, whole_s)

    def first_token_s(self, post: str, reads_s: float) -> float:
        """Let the engine read a post ahead for so long, then ask for a draft: seconds to its first token."""
        self.engine.read_ahead(prompt_pieces(post))
        time.sleep(reads_s)
        for event in self.engine.generate(prompt_pieces(post), response_script(), [Sampling(seed=0)]):
            if isinstance(event, Delta):
                self.engine.stop()
        assert isinstance(event, Finished)
        return event.first_token_s
