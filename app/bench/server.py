"""A running llama-server, asked for as many tokens over the same prompt; never started or built by us."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from app.catalog import Card
from app.engine.completions import read_server
from app.engine.decode import PENALTY_TOKENS
from app.engine.protocol import Sampling
from app.errors import DeskError

PATIENCE_S = 600.0


class LlamaServer:
    """Asks by llama-server's own protocol, which takes token ids and tells its own times.

    Args:
        url: base address, https or on this computer.
        policy: what it must serve.

    Raises:
        DeskError: engine_url_refused; remote_unreachable, remote_refused (status) and remote_broken, with the host;
            bench_server_model (file), if it does not serve that very file.
    """

    def __init__(self, url: str, policy: Card):
        self._host = read_server(url).host
        self._url = url.rstrip("/").removesuffix("/v1")
        # Without the proxies of the environment: mostly this is the loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        properties = self._ask("/props", None)
        try:
            self.build = str(properties["build_info"])
            with Path(properties["model_path"]).open("rb") as file:
                served = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            served = ""
        except (KeyError, TypeError):
            raise DeskError("remote_broken", host=self._host) from None
        if served != policy.sha256:
            raise DeskError("bench_server_model", file=policy.path.name)

    def tokens_a_second(self, ids: list[int], tokens: int, sampling: Sampling, completions: int = 1) -> float:
        """Write so many completions in step, each of so many tokens; without the reading of the prompt."""
        answer = self._ask(
            "/completion",
            {
                "prompt": ids,
                "n_predict": tokens,
                "n_cmpl": completions,
                "ignore_eos": True,
                "seed": sampling.seed,
                "temperature": sampling.temperature,
                "top_k": sampling.top_k,
                "top_p": sampling.top_p,
                "min_p": 0.0,
                "repeat_penalty": sampling.repeat_penalty,
                "repeat_last_n": PENALTY_TOKENS,
            },
        )
        try:
            timings = [one["timings"] for one in (answer if isinstance(answer, list) else [answer])]
            slowest_ms = max(float(one["predicted_ms"]) for one in timings)
            return sum(int(one["predicted_n"]) for one in timings) / slowest_ms * 1000
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            raise DeskError("remote_broken", host=self._host) from None

    def _ask(self, path: str, request: dict[str, Any] | None) -> Any:
        body = json.dumps(request).encode() if request else None
        asked = urllib.request.Request(self._url + path, body, {"Content-Type": "application/json"})
        try:
            with self._opener.open(asked, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()
            raise DeskError("remote_refused", host=self._host, status=error.code) from None
        except urllib.error.URLError:
            raise DeskError("remote_unreachable", host=self._host) from None
        except (OSError, HTTPException, ValueError):
            raise DeskError("remote_broken", host=self._host) from None
