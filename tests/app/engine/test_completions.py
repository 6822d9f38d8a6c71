"""Which servers a post may be sent to, read from an address."""

from __future__ import annotations

import pytest

from app.engine.completions import Server, read_server
from app.errors import DeskError


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://127.0.0.1:8080/v1", Server("127.0.0.1", 8080, "/v1/completions", encrypted=False, here=True)),
        (" http://localhost:8080 ", Server("localhost", 8080, "/v1/completions", encrypted=False, here=True)),
        ("https://[::1]/", Server("::1", None, "/v1/completions", encrypted=True, here=True)),
        ("https://Example.org/llm/v1/", Server("example.org", None, "/llm/v1/completions", encrypted=True, here=False)),
        ("https://192.168.1.5:8443", Server("192.168.1.5", 8443, "/v1/completions", encrypted=True, here=False)),
    ],
)
def test_an_address_names_a_server(url: str, server: Server) -> None:
    assert read_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/v1",
        "http://192.168.1.5:8080",
        "http://127.0.0.1.example.org",
        "http://0.0.0.0:8080",
        "http://localhost@example.org",
        "https://user:word@example.org",
        "https://example.org\\@127.0.0.1",
        "https://example.org/v1?key=1",
        "http://[::1",
        "http://127.0.0.1:99999",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "",
    ],
)
def test_text_goes_over_https_or_stays_here(url: str) -> None:
    with pytest.raises(DeskError, match="engine_url_refused"):
        read_server(url)
