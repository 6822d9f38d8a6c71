"""What the desk asks of an engine: text in, tokens out. It knows tags and layers only as forced text and section names.

Implemented by `llama.LlamaEngine` (llama.cpp in a child process), `remote.RemoteEngine` (a server by its address) and
`scripted.ScriptedEngine` (for tests).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.chain import Piece
from app.errors import DeskError


@dataclass(frozen=True)
class Section:
    """A stretch the model writes freely, up to the next '<'; closed by force at a sentence end after `max_tokens`."""

    name: str
    max_tokens: int


MAX_CANDIDATES = 8

Script = tuple[str | Section, ...]
"""What follows the prompt: forced text and free sections, in turn. An edited layer is simply more forced text."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; stored with every draft so that it can be drawn again.

    The defaults suit the bundled model, which without so strong a repeat penalty falls into loops.
    """

    seed: int
    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.9
    repeat_penalty: float = 1.2


@dataclass(frozen=True)
class Reading:
    """The prompt is being read."""

    done_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class Delta:
    """More text of a section of a candidate."""

    section: str
    text: str
    candidate: int = 0


@dataclass(frozen=True)
class Closed:
    """A section is complete; `capped` if it ran into its `max_tokens`."""

    section: str
    capped: bool
    candidate: int = 0


@dataclass(frozen=True)
class Finished:
    """Every candidate is done, or all were stopped. Always the last event of a generation that raised nothing."""

    stopped: bool
    prompt_tokens: int
    prompt_s: float
    first_token_s: float
    """From the call to the first sampled token."""
    decode_tokens: int
    """Sampled by all candidates together."""
    decode_s: float


Event = Reading | Delta | Closed | Finished


@dataclass(frozen=True)
class Status:
    """What the page shows of the engine before and between drafts."""

    state: Literal["starting", "ready", "failed"]
    error: DeskError | None = None
    leaves_for: str | None = None
    """The host that posts are sent to, where that is another computer."""


class Engine(Protocol):
    """One generation or embedding at a time: callers wait for each other, but `stop` and `status` never wait."""

    candidates: int
    """The most that are written in step, at most `MAX_CANDIDATES`."""

    def status(self) -> Status: ...

    def generate(self, prompt: Sequence[Piece], script: Script, samplings: Sequence[Sampling]) -> Iterator[Event]:
        """Read the prompt once, then write the script: one candidate a sampling, all of them in step.

        A seed writes the same text again only beside as many other candidates.

        Raises:
            DeskError: post_too_long (tokens, limit), engine_crashed, engine_hung, or what kept the model from loading.
                After a crash or a hang the engine is usable again.
        """

    def read_ahead(self, prompt: Sequence[Piece]) -> None:
        """Read a prompt that will perhaps be generated from, and return at once; whatever else is asked comes first."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One L2-normalised vector (H,) a text, from the reward model."""

    def stop(self) -> None:
        """End the running generation within 300 ms, also while the prompt is read; without one, do nothing."""

    def close(self) -> None: ...
