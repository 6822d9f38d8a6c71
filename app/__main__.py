"""The command line: `python -m app`, usually through `launch.py`. Without a verb it is the desk itself.

What was asked for goes to stdout, everything else to stderr. Imports stay inside the verbs, so that the desk paints
early and `--help` answers at once.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError
from typer import TyperException
from typer.core import TyperGroup

from app.errors import DeskError
from app.exports_cli import export
from app.settings import Settings
from storage.errors import StorageError

if TYPE_CHECKING:
    from app.catalog import Card
    from app.engine.protocol import Engine
    from app.scoring import Score
    from app.web.words import Words

SCORED_AT_ONCE = 256
"""Pairs between two stretches of output: enough to sort by length, few enough to see progress."""

FAILED = 2
"""Exit status of every refusal; 1 is left to `doctor`, for a machine that has to be mended."""

SEED_CHAINS = Path(__file__).resolve().parents[1] / "training" / "seed_chains"
"""Data, not code: the desk reads these files as it would read anybody's."""

MARKS = {"ok": "✓", "note": "·", "mend": "✗"}


class SentenceGroup(TyperGroup):
    """The edge where every failure becomes one sentence on stderr, in the language that was chosen."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise  # wrong usage, a chosen end, or a reader that has left: typer knows what to do
        except (DeskError, StorageError) as error:
            sentence = DeskError(error.code, **error.values)
        except Exception as error:
            # Class and place only: the message may quote what a person wrote.
            place = traceback.extract_tb(error.__traceback__)[-1]
            tell(f"{type(error).__name__} ({Path(place.filename).name}:{place.lineno})")
            sentence = DeskError("internal")
        tell(words_of(ctx.obj).error(sentence))
        raise typer.Exit(FAILED)


cli = typer.Typer(
    cls=SentenceGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Empathy Desk: drafts, scores and reviews replies to long help-seeking posts, on this machine only.",
)

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of text for people.")]


@cli.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    data_dir: Annotated[Path | None, typer.Option(help="Of the database. Default: your user data folder.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: the first free one.")] = None,
    open_browser: Annotated[bool | None, typer.Option("--browser/--no-browser", help="Open the page.")] = None,
    language: Annotated[Literal["zh", "en"] | None, typer.Option(help="Default: zh.")] = None,
    model: Annotated[str | None, typer.Option(help="A folder in model_cards.")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Folder of the model cards.")] = None,
    engine_url: Annotated[
        str | None, typer.Option(help="A server that drafts instead, https or on this computer. Posts go there.")
    ] = None,
    engine_model: Annotated[str | None, typer.Option(help="The name of its model.")] = None,
) -> None:
    """Start the desk, if no verb is given."""
    given = {name: value for name, value in context.params.items() if value is not None}
    try:
        context.obj = Settings(**given)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise DeskError("setting_invalid", setting=f"EMPATHY_DESK_{name.upper()}") from None
    if context.invoked_subcommand is None:
        from app.web.server import serve as serve_page

        serve_page(context.obj)


@cli.command()
def draft(
    context: typer.Context,
    post_file: Annotated[Path, typer.Option(help="The post, as UTF-8 text.")],
    as_json: AsJson = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same draft.")] = 0,
) -> None:
    """Draft a reply to one post. Nothing is stored."""
    from app.chain import ANSWER_TAG, post_text
    from app.drafting import complete, compose
    from app.engine.protocol import Delta, Finished, Sampling
    from app.intake import accept_post
    from app.scoring import Scorer

    post = post_text(*accept_post("", read_text(post_file)))
    parts: dict[str, str] = {}
    timings: dict[str, float] = {}
    with models(context.obj) as (engine, card, reward):
        scorer = Scorer(engine, reward) if reward else None
        for event in compose(engine, post, Sampling(seed=seed)):
            if isinstance(event, Delta):
                parts[event.section] = parts.get(event.section, "") + event.text
            elif isinstance(event, Finished):
                timings = {name: value for name, value in vars(event).items() if name != "stopped"}
        response = complete(parts)
        score = scorer.score([(post, response.answer)])[0] if scorer else None
    if as_json:
        layers = response.parts()
        answer = layers.pop(ANSWER_TAG)
        meaning = vars(score) if score else None
        put({"layers": layers, "answer": answer, "score": meaning, "model": card.name, "timings": timings})
        return
    words = words_of(context.obj)
    for name, text in response.parts().items():
        print(f"{words.section(name)}\n{text}\n")
    if score:
        print(score_line(words, score))


@cli.command()
def score(
    context: typer.Context,
    pairs: Annotated[Path, typer.Option(help='JSON lines: {"post": …, "answer": …}')],
    as_json: AsJson = False,
) -> None:
    """Score answers to posts: one line a pair, in order."""
    from app.scoring import Scorer

    rows = list(read_pairs(pairs))
    words = words_of(context.obj)
    with models(context.obj) as (engine, card, reward):
        if reward is None:
            raise DeskError("reward_model_missing", model=card.name)
        scorer = Scorer(engine, reward)
        for start in range(0, len(rows), SCORED_AT_ONCE):
            for result in scorer.score(rows[start : start + SCORED_AT_ONCE]):
                if as_json:
                    put({"score": result.cosine, "passed": result.passed, "percentile": result.percentile})
                else:
                    print(score_line(words, result), flush=True)


cli.command()(export)


@cli.command("import-chains")
def import_chains(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="A JSON-lines file or a folder of them.")] = SEED_CHAINS,
) -> None:
    """Put chains written elsewhere into the review queue; without an argument, this project's own."""
    from app.importing import import_chains as read
    from storage.store import Store

    with closing(Store.open(context.obj.data_dir, context.obj.database, beside_desk=True)) as store:
        report = read(store, source)
    tell(words_of(context.obj)("imported", added=report.added, known=report.known))


@cli.command()
def bench(
    context: typer.Context,
    peers: Annotated[
        bool, typer.Option("--peers", help="The engine beside other roads to a draft, from three minutes to an hour.")
    ] = False,
    gguf: Annotated[Path | None, typer.Option(help="With --peers: measure this file, not the desk's model.")] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="With --gguf: write that file first, if it is not there: 0.41 B random weights of Qwen3's shape, with "
            "the vocabulary of this GGUF, such as vendor/llama.cpp/models/ggml-vocab-qwen2.gguf in the source archive "
            "of llama-cpp-python (pip download --no-deps --no-binary llama-cpp-python llama-cpp-python)."
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="With --peers: address of a llama-server that serves the same file (llama-server -m FILE -np 4 -kvu)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure start, drafting, scoring and memory on this machine (about two minutes; let it rest meanwhile)."""
    from app.bench import desk
    from app.bench import peers as beside
    from app.bench.random_model import write

    if not peers and (gguf or server) or vocabulary and not gguf:
        raise typer.BadParameter("--gguf and --server go with --peers, --vocabulary with --gguf")
    if gguf and vocabulary and not gguf.exists():
        write(vocabulary, gguf)
    report = beside.measure(context.obj, tell, gguf, server) if peers else desk.measure(context.obj, tell)
    if as_json:
        put(report, indent=2)
        return
    for name, figure in report["figures"].items():
        if figure:
            print(f"{name:32} {figure['value']:>10.3f} {figure['unit']}")
    for bar in report.get("bars", ()):
        limit = f"at least {bar['at_least']}" if bar["at_least"] else f"at most {bar['at_most']}"
        print(f"{bar['figure']:32} {'reached' if bar['reached'] else 'MISSED'} ({limit})")


@cli.command()
def doctor(context: typer.Context) -> None:
    """Say what is missing on this machine and how to mend it."""
    from app.doctor import examine

    findings = examine(context.obj, words_of(context.obj))
    for finding in findings:
        print(f"{MARKS[finding.state]} {finding.subject}: {finding.text}")
    if any(finding.state == "mend" for finding in findings):
        raise typer.Exit(1)


@contextmanager
def models(settings: Settings) -> Iterator[tuple[Engine, Card, Card | None]]:
    """The engine over the chosen policy and its reward model, with their cards; files are verified first."""
    from app.models import choose, start

    card, reward = choose(settings)
    with closing(start(settings, card, reward)) as engine:
        yield engine, card, reward


def read_text(path: Path) -> str:
    """A file of a person, as UTF-8 with or without its mark.

    Raises:
        DeskError: file_unreadable (file, reason), file_not_utf8 (file).
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DeskError("file_unreadable", file=path, reason=error.strerror) from None
    except UnicodeDecodeError:
        raise DeskError("file_not_utf8", file=path) from None


def read_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The (post, answer) pairs of a JSON-lines file.

    Raises:
        DeskError: pairs_line (file, line) at the first line that is something else, or as `read_text`.
    """
    from app.intake import clean

    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            post, answer = clean(row["post"]).text.strip(), clean(row["answer"]).text.strip()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            post = answer = ""
        if not post or not answer:
            raise DeskError("pairs_line", file=path, line=number)
        yield post, answer


def words_of(settings: Settings | None) -> Words:
    """The strings of the chosen language; of the first one while there are no settings, because one is not valid."""
    from app.web.words import WORDS

    return WORDS[settings.language if settings else "zh"]


def score_line(words: Words, score: Score) -> str:
    """A score with its meaning."""
    key = "score_passed" if score.passed else "score_not_passed"
    return words(key, percentile=round(score.percentile), cosine=f"{score.cosine:.2f}")


def put(value: dict[str, Any], indent: int | None = None) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=indent), flush=True)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    cli()
