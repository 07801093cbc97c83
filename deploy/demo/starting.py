"""What is said where a part of the demonstration cannot start."""

from __future__ import annotations


class CannotStart(RuntimeError):
    """A server or service of the demonstration cannot start: why, and what to do next."""

    def __init__(self, why: str, then: str) -> None:
        super().__init__(f"{why}\n{then}")
