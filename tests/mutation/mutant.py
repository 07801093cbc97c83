"""A mutant: one change at one place of the code, which a test is to find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rich.console import Console

KILLED: Final = "KILLED"
SURVIVED: Final = "SURVIVED"
INVALID: Final = "INVALID"
"""What cannot be loaded: it is not counted."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change: the text at a place of a file, and what stands there instead."""

    file: str  # below the root of the code
    row: int
    start: int  # in the file's text
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.file}:{self.row}: {_short(self.before)}  ->  {_short(self.after)}"

    def applied(self, text: str) -> str:
        """The file's text with the change."""
        return text[: self.start] + self.after + text[self.start + len(self.before) :]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def share(outcomes: Iterable[str], what: str, console: Console) -> float:
    """Say how many mutants of `what` were killed; gives their share."""
    count = Counter(outcomes)
    valid = count[KILLED] + count[SURVIVED]
    part = count[KILLED] / valid if valid else 1.0
    console.print(
        f"{what}: {count[KILLED]} of {valid} mutants killed ({part:.1%}); "
        f"{count[INVALID]} that could not be loaded are not counted",
        markup=False,
        soft_wrap=True,
    )
    return part
