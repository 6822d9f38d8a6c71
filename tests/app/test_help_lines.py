"""The help lines: known, dated, and read again often enough."""

from __future__ import annotations

from datetime import UTC, datetime

from app.safety.help_lines import MAX_AGE_DAYS, help_lines


def test_no_line_goes_unread_for_too_long():
    today = datetime.now(UTC).date()
    old = [line.number for line in help_lines() if (today - line.verified_on).days > MAX_AGE_DAYS]
    assert not old, f"read the sources of {', '.join(old)} again and set verified_on in app/safety/help_lines.toml"


def test_the_lines_a_counselor_in_china_needs_are_there():
    assert {line.number for line in help_lines()} >= {"12356", "12355", "110", "120"}
    assert all(line.source and line.hours for line in help_lines())
