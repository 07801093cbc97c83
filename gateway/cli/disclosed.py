"""`portcullis audit disclosed`: whether an answer is what was disclosed of one's agency's records.

The gateway opens its agency's part of the entry and compares; the answer's values go there for
that alone, and no value comes back. What was disclosed so can be written to a file, by which
anybody checks it with the log's public key (`portcullis audit verify --disclosed`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.audit.disclosed import at
from gateway.audit.uses import USES
from gateway.audit.verify import plain
from gateway.cli.common import Commands, command
from gateway.cli.record import Gateway, caller

_AT_ONCE: Final = 200  # places
_BYTES: Final = 40_000  # of them, as they are sent
_RECEIPT: Final = ("leafHash", "queryId", "at", "withinSeconds", "signature")
_WORDS: Final[Mapping[str, str]] = {
    "DISCLOSED": "disclosed so",
    "OTHER": "other than disclosed",
    "NOT_OF_ENTRY": "not of this entry",
}


def register(inner: Commands) -> None:
    made = command(
        inner,
        "disclosed",
        _disclosed,
        help_text="Say field by field whether an answer is what was disclosed of your agency's "
        "records. The look is itself recorded.",
        examples="  portcullis audit disclosed answer.json --entry 73 --use COMPLAINT --as AF\n"
        "  portcullis audit disclosed answer.json --use COMPLAINT --as AF --open opened.json \\\n"
        "    --field personSearch.hits.0.sex\n"
        "  portcullis audit verify --disclosed opened.json --answer answer.json --key log.pub",
    )
    made.add_argument("answer", type=Path, help="the whole answer as its app got it, in JSON")
    made.add_argument("--entry", type=int, help="the number of its entry (as its receipt says)")
    made.add_argument("--use", choices=USES, required=True, help="for what you look")
    made.add_argument("--open", type=Path, metavar="FILE",
                      help="write what shows others the same without a gateway")  # fmt: skip
    made.add_argument("--field", action="append", metavar="PLACE",
                      help="open this place alone; may be repeated")  # fmt: skip
    made.add_argument("--told", action="store_true",
                      help="open too what was said of what was not shown in full")  # fmt: skip
    made.add_argument("--json", action="store_true", help="print what was found as JSON")
    caller(made)


def _disclosed(given: argparse.Namespace) -> int:
    """0: all is as it was disclosed; 1: something is not; 2: it cannot be said."""
    try:
        answer = json.loads(given.answer.read_text("utf-8"))
        data, receipt = answer["data"], answer["extensions"]["receipt"]
        said = json.dumps({name: receipt[name] for name in _RECEIPT})
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{given.answer} is no answer with its receipt: {type(error).__name__}",
              file=sys.stderr)  # fmt: skip
        return 2
    index = given.entry if given.entry is not None else receipt.get("logEntry")
    if index is None:
        raise SystemExit("The receipt names no entry: give --entry.")
    if given.open and given.open.exists():
        raise SystemExit(f"{given.open} is there already.")
    gateway = Gateway(given)
    asked = {"use": given.use, "index": index, "receipt": said}
    found = gateway.ask("disclosed", asked)
    if found is None:
        print("That entry says nothing of your agency's records, or it was erased.",
              file=sys.stderr)  # fmt: skip
        return 1
    places = {one["place"]: one for one in found["places"]}
    own = {place.rpartition(".")[0] for place in places}
    rest = [*places, *_beside(data, "", own, places)]
    wanted = [place for place in rest if given.open and place in (given.field or places)]
    rest = [place for place in rest if place not in wanted]
    opened: dict[str, Any] = {}
    for names, opens in ((wanted, True), (rest, False)):
        for claims in _batches(data, names):
            tells = opens and given.told and not opened
            more = {"claims": claims, "opens": opens, "tells": tells}
            compared = gateway.ask("disclosed", {**asked, **more})
            places |= {one["place"]: one for one in compared["places"] if one["outcome"]}
            if compared["opened"]:
                part = json.loads(compared["opened"])
                opened = {**part, "items": [*opened.get("items", ()), *part["items"]]}
    told = list(places.values())
    _print(found, told, as_json=given.json)
    if given.open and not _written(given.open, opened):
        return 2
    return 0 if all(one["outcome"] != "OTHER" for one in told) else 1


def _batches(data: Any, places: list[str]) -> Iterator[list[dict[str, str]]]:
    """What an answer holds at these places, so many at once as one request takes."""
    some: list[dict[str, str]] = []
    size = 0
    for place in places:
        claim = {"place": place, "value": json.dumps(at(data, place))}
        bytes_ = len(json.dumps(claim))
        if some and (len(some) == _AT_ONCE or size + bytes_ > _BYTES):
            yield some
            some, size = [], 0
        some.append(claim)
        size += bytes_
    if some:
        yield some


def _beside(value: Any, path: str, own: set[str], known: Mapping[str, Any]) -> Iterator[str]:
    """Where an answer holds something right in one of the agency's records that its entry does not
    name there; what lies deeper is another record's."""
    inner: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for step, one in inner:
        place = f"{path}.{step}" if path else str(step)
        if place in known:
            continue
        if path in own and one is not None and not isinstance(one, dict | list):
            yield place
        yield from _beside(one, place, own, known)


def _print(found: Mapping[str, Any], places: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**found, "places": places, "opened": None}))
        return
    for one in places:
        name = f"  ({one['field']} of {one['entity']} in {one['source']})" if one["field"] else ""
        print(plain(f"{_WORDS[one['outcome']]:<20}  {one['place']}{name}"))
    for one in found["told"]:
        words = " ".join(filter(None, (one["outcome"], one["mask"], one["rule"])))
        print(f"{'also said':<20}  {one['place']}: {words}")
    print(f"By entry {found['index']}, of {found['agency']}'s records to {found['to']}, "
          f"{found['purpose']}, at {found['at']}.")  # fmt: skip


def _written(target: Path, opened: Mapping[str, Any]) -> bool:
    if not opened.get("items"):
        print("Nothing can be opened: the entry is of before fields had keys of their own, or "
              "nothing is as it was disclosed.", file=sys.stderr)  # fmt: skip
        return False
    try:
        with target.open("x", encoding="utf-8") as file:
            json.dump(opened, file)
    except OSError as error:
        print(f"{target}: {error.strerror}", file=sys.stderr)
        return False
    print(f"{len(opened['items'])} places are opened in {target}. Give it only with the answer: "
          "who has it can try values.", file=sys.stderr)  # fmt: skip
    return True
