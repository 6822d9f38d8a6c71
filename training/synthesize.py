"""Chains by a teacher, section 3.2 of arXiv:2509.14851: for a post and its human answer, the thinking between the two.

The texts leave this machine for the endpoint of the recipe. Only training posts of the public sets go: nothing that a
centre put into the corpus, nothing of its desk, no set under a signed agreement.

Each reply is paid for once: it stands in `replies.jsonl`, on the disk, before its post is asked about again, and a
killed run goes on behind it. Lost are the replies then under way, `parallel` of them at most. The sum is of the replies
that came; what a provider charges for one that broke off comes on top.

Deviation: experts vet the paper's chains; these go into the desk's review queue, where people do the same.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from openai import APIError, APIStatusError, BadRequestError, OpenAI
from openai.types.chat import ChatCompletion
from tqdm import tqdm

from training.data.build import DataError, read_corpus
from training.ledger import Ledger, Reply, Stopped
from training.pairs import Pair, pairs_of
from training.recipe import Recipe, RecipeError, SynthesizeRecipe
from training.teacher import TASK, Rejected, checked, connect, request

PUBLIC_SETS = ("smilechat", "cpsycound")
AUTHOR_CHARS = 40
"""As long as the desk lets a name be."""
MAX_REFUSALS = 10
"""So many posts refused and not one reply: the fault is the recipe's."""
TEMPLATE_TOKENS = 64
"""More than a chat template puts around one message."""
ADVICE = {
    401: "check the key",
    402: "top up the account",
    403: "check what the key is allowed",
    404: "check synthesize.url and synthesize.model",
    429: "lower synthesize.parallel and run the same command again",
}
GO_ON = "run the same command again to go on"


def identity(pair: Pair) -> str:
    """The name of a pair in the ledger: a hash of its texts."""
    return hashlib.sha256(f"{pair.post}\n{pair.answer}".encode()).hexdigest()[:16]


def asked_pairs(run: Path, posts: int, seed: int) -> list[Pair]:
    """Training posts of the public sets, each with one of its answers; a larger number begins with the smaller one's.

    Raises:
        DataError: if the corpus of the run holds none.
    """
    answers: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs_of(record for record in read_corpus(run / "corpus", "train") if record.source in PUBLIC_SETS):
        answers[pair.group].append(pair)
    if not answers:
        raise DataError(f"The corpus of {run} holds no post of {' or '.join(PUBLIC_SETS)}, and no other may be sent.")
    rng = random.Random(seed)
    chosen = [rng.choice(pairs) for pairs in answers.values()]
    rng.shuffle(chosen)
    return chosen[:posts]


def price(settings: SynthesizeRecipe, input_tokens: int, output_tokens: int) -> float:
    """What so many tokens cost, in the currency of the recipe's prices."""
    return (input_tokens * settings.input_price + output_tokens * settings.output_price) / 1e6


def most_tokens(settings: SynthesizeRecipe, message: str) -> tuple[int, int]:
    """The most tokens (input, output) that a request can take; no tokenizer makes more than one of a byte."""
    return len(message.encode()) + TEMPLATE_TOKENS, settings.max_tokens


def _read(completion: ChatCompletion, pair: Pair, settings: SynthesizeRecipe, most: tuple[int, int]) -> Reply:
    usage = completion.usage
    # Without a count the reply is taken to be as long as can be.
    tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else most
    reason, advice, chain = None, "", None
    try:
        if completion.choices[0].finish_reason == "length":
            raise Rejected("cut_off", "太长，没有写完")
        response = checked(completion.choices[0].message.content or "", pair)
        author = settings.model.rpartition("/")[2][:AUTHOR_CHARS]
        chain = {"title": pair.title, "description": pair.description, **response.parts(), "author": author}
    except Rejected as rejected:
        reason, advice = rejected.reason, rejected.advice
    return Reply(identity(pair), settings.model, reason, advice, *tokens, price(settings, *tokens), chain)


def _complete(client: OpenAI, settings: SynthesizeRecipe, message: str) -> ChatCompletion:
    try:
        completion = client.chat.completions.create(
            model=settings.model,
            messages=[{"role": "user", "content": message}],
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
        )
    except BadRequestError:
        raise
    except APIStatusError as error:
        advice = ADVICE.get(error.status_code, GO_ON)
        raise ConnectionError(f"{settings.url} answered {error.status_code}; {advice}.") from None
    except APIError as error:
        raise ConnectionError(f"{settings.url}: {type(error).__name__}; {GO_ON}.") from None
    if not completion.choices:
        raise ConnectionError(f"{settings.url} sent no reply; {GO_ON}.")
    return completion


def _ask(client: OpenAI, settings: SynthesizeRecipe, ledger: Ledger, pair: Pair) -> None:
    name = identity(pair)
    while len(past := ledger.of(name)) < settings.attempts and not any(reply.chain for reply in past):
        message = request(pair, past[-1].advice if past else "")
        most = most_tokens(settings, message)
        reserved, reply = price(settings, *most), None
        try:
            ledger.reserve(reserved)
        except Stopped:
            return
        try:
            reply = _read(_complete(client, settings, message), pair, settings, most)
        except BadRequestError:
            # Some providers answer 400 to a text their filter dislikes; nothing is charged, and the others go on.
            ledger.refused.add(name)
            if not ledger.replies and len(ledger.refused) >= MAX_REFUSALS:
                ledger.stop()
                raise ConnectionError(f"{settings.url} refuses every request; check synthesize.model.") from None
            return
        except ConnectionError:
            ledger.stop()
            raise
        finally:
            ledger.release(reserved, reply)


def _ask_all(client: OpenAI, settings: SynthesizeRecipe, ledger: Ledger, pairs: list[Pair]) -> None:
    with (
        ThreadPoolExecutor(settings.parallel) as pool,
        tqdm(total=len(pairs), unit="post", disable=not sys.stderr.isatty()) as bar,
    ):
        try:
            for done in as_completed([pool.submit(_ask, client, settings, ledger, pair) for pair in pairs]):
                done.result()
                bar.update()
        finally:
            # Leaving the pool waits for its threads: those that have sent a request keep its reply, the others end.
            ledger.stop()


def synthesize(recipe: Recipe, run: Path, tell: Callable[[str], None]) -> None:
    """Ask the teacher about the posts of the recipe; writes `run/synthesize`.

    `chains.jsonl` is what `launch.py import-chains` puts into the review queue, `report.json` what was asked and paid.

    Raises:
        RecipeError: for a missing price or key, or an endpoint that posts may not go to.
        DataError: without a corpus, or public posts in it.
        ConnectionError: if the endpoint fails for good; what came before is kept.
    """
    settings = recipe.synthesize
    for name in ("input_price", "output_price"):
        charged = getattr(settings, name)
        if charged is None or charged < 0:
            raise RecipeError(
                f"synthesize.{name} is {charged}, and without a price the cost cannot be capped; "
                "write what the endpoint charges per million tokens, 0 for a server of your own."
            )
    pairs = asked_pairs(run, settings.posts, recipe.seed)
    out = run / "synthesize"
    out.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(out / "replies.jsonl", settings)
    with connect(settings) as client:
        try:
            _ask_all(client, settings, ledger, pairs)
        finally:
            tell(_write(out, settings, ledger, pairs))


def _write(out: Path, settings: SynthesizeRecipe, ledger: Ledger, pairs: list[Pair]) -> str:
    """Write the chains and the report; returns them in a sentence."""
    by_post = {name: ledger.of(name) for name in map(identity, pairs)}
    chains = [reply.chain for replies in by_post.values() for reply in replies if reply.chain]
    unkept = {name: replies for name, replies in by_post.items() if not any(reply.chain for reply in replies)}
    given_up = [replies[-1].reason for replies in unkept.values() if len(replies) >= settings.attempts]
    refused = len(unkept.keys() & ledger.refused)
    partial = out / "chains.jsonl.partial"
    partial.write_text("".join(json.dumps(chain, ensure_ascii=False) + "\n" for chain in chains), "utf-8")
    partial.replace(out / "chains.jsonl")
    report = {
        "url": settings.url,
        "model": settings.model,
        "task_version": hashlib.sha256(TASK.encode()).hexdigest()[:12],
        "posts": len(pairs),
        "kept": len(chains),
        "given_up": dict(Counter(given_up).most_common()),
        "refused": refused,
        "left": len(pairs) - len(chains) - len(given_up) - refused,
        "replies": len(ledger.replies),
        "rejected": dict(Counter(reply.reason for reply in ledger.replies if reply.reason).most_common()),
        "input_tokens": sum(reply.input_tokens for reply in ledger.replies),
        "output_tokens": sum(reply.output_tokens for reply in ledger.replies),
        "cost": round(sum(reply.cost for reply in ledger.replies), 6),
        "max_cost": settings.max_cost,
        "input_price": settings.input_price,
        "output_price": settings.output_price,
    }
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    return (
        f"{len(chains)} of {len(pairs)} posts have a chain, {len(given_up)} were given up, {refused} refused, "
        f"{report['left']} are left; {report['replies']} replies cost {report['cost']}."
    )
