"""Every number plate, tried against what a log exports: AU-12, as somebody without a key would.

    python -m tests.plates [LEAVES] [--form NAME] [--most N]

A plate is like AB12CDE; they are tried in order from AA00AAA on, ten million unless told. A form is
a digest over a text: the plate as it is, or with what the log puts before it. Each digest is looked
for among all strings of hexadecimal digits in the leaves, cut short ones too. What was found is
printed, one line each, and the status is 1 if something was. Without leaves, a log is written in
which AB12CDE was searched for.

One form takes some ten seconds of a processor for ten million plates, and more where more is put
before the plate: so the suite tries one form for all of them and every form for those around the
one that was asked for. `make plates` tries every form for all.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, product, repeat
from operator import itemgetter, methodcaller
from pathlib import Path
from string import ascii_uppercase as LETTERS
from string import digits as DIGITS
from typing import Final, TypeAlias

from tests.unit.audit.auditworld import ANN, world

MOST: Final = 10_000_000
_SHORT: Final = 8  # bytes of a digest that are compared: no shorter token stands in a leaf
_HEX: Final = re.compile(rb"[0-9a-f]{16,}")
_LIKE: Final = ("A", LETTERS, DIGITS, DIGITS, LETTERS, LETTERS, LETTERS)

_TEXTS: Final[Mapping[str, str]] = {
    "plate": "{}",
    "term": "Vrm|{}",
    "token": "term\0Vrm|{}",
    "variables": '{{"typed": ["{}"]}}',
    "variables-token": 'variables\0{{"typed": ["{}"]}}',
}
"""What the log makes its keyed tokens of, and the plate alone."""

Digests: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]


def _plain(name: str) -> Digests:
    made = getattr(hashlib, name)
    return lambda texts: map(methodcaller("digest"), map(made, texts))


def _unkeyed(key: bytes) -> Digests:
    return lambda texts: map(hmac.digest, repeat(key), texts, repeat("sha256"))


_DIGESTS: Final[Mapping[str, Digests]] = {
    "sha256": _plain("sha256"),
    "sha1": _plain("sha1"),
    "md5": _plain("md5"),
    "sha3_256": _plain("sha3_256"),
    "hmac": _unkeyed(b""),
    "hmac-zeros": _unkeyed(bytes(32)),
}
FORMS: Final = tuple(f"{digest}/{text}" for digest in _DIGESTS for text in _TEXTS)


def plates(first: int = 0, most: int = MOST) -> Iterator[str]:
    """So many plates, in order, from one of them on."""
    if first == 0:
        return islice(map("".join, product(*_LIKE)), most)
    return map(plate_of, range(first, first + most))


def plate_of(number: int) -> str:
    """The plate at a place among all."""
    made = ""
    for of in reversed(_LIKE):
        number, place = divmod(number, len(of))
        made = of[place] + made
    return made


def number_of(plate: str) -> int:
    """The place of a plate among all."""
    place = 0
    for letter, of in zip(plate, _LIKE, strict=True):
        place = place * len(of) + of.index(letter)
    return place


def digests(form: str, texts: Iterable[str]) -> Iterator[bytes]:
    """What each plate is by this form."""
    digest, _, text = form.partition("/")
    said = texts if text == "plate" else map(_TEXTS[text].format, texts)
    return _DIGESTS[digest](map(str.encode, said))


def found(leaves: bytes, form: str, first: int = 0, most: int = MOST) -> list[str]:
    """The plates that stand in these leaves by this form."""
    held = {bytes.fromhex(one[: 2 * _SHORT].decode()) for one in _HEX.findall(leaves)}
    cut = itemgetter(slice(0, _SHORT))
    if held.isdisjoint(map(cut, digests(form, plates(first, most)))):
        return []
    tried = zip(plates(first, most), digests(form, plates(first, most)), strict=True)
    return [plate for plate, digest in tried if digest[:_SHORT] in held]


async def written(folder: Path) -> bytes:
    """The leaves of a log in which a plate was searched for, and a record of that key shown."""
    async with world(folder) as at:
        await at.ask(ANN, "AB12CDE", shows=[("NMC", "nmc", "Vehicle", "AB12CDE")])
        return b"\n".join([await at.log.leaf(number) for number in range(await at.seen())])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leaves", type=Path, nargs="?")
    parser.add_argument("--form", choices=FORMS, action="append")
    parser.add_argument("--most", type=int, default=MOST)
    given = parser.parse_args(arguments)
    if given.leaves is None:
        with tempfile.TemporaryDirectory() as folder:
            leaves = asyncio.run(written(Path(folder)))
    else:
        leaves = given.leaves.read_bytes()
    there = False
    for form in given.form or FORMS:
        plates_found = found(leaves, form, most=given.most)
        there = there or bool(plates_found)
        for plate in plates_found:
            print(f"{form}: {plate}")
        if given.leaves is None and not plates_found:
            print(f"{form}: none of {given.most:,}", flush=True)
    return 1 if there else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
