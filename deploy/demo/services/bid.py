"""BID's own service: persons and encounters over REST, as a border directorate might offer them.

    python -m deploy.demo.services.bid --data bid.json --port 9001 [--rate 10 | --no-rate]

    POST /oauth/token             client credentials; scopes persons.read, encounters.read
    GET  /v2/persons              two or more of familyName, givenName, dob (YYYY, YYYY-MM or
                                  YYYY-MM-DD); or docNo alone; or personRef=a,b (20) alone
    GET  /v2/encounters           personRef=a,b (20); or from= and to= (epoch ms, to exclusive),
                                  with site= if wanted
    both: fields=a.b,c (dotted, also inside lists), cursor=, limit= (50 at most)
    answers {"items": [...], "next": "..." | null}, or {"code": "E....", "message": "..."}

It knows nothing of who asks it on whose behalf, and there is nothing in it that writes.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.services.bid_data import BadRequest, Store, cursor_at, cursor_of, projected
from deploy.demo.services.oauth import TokenDesk
from deploy.demo.services.ready import arguments, listener, serve

PAGE = 50
MAX_REFS = 20
_PERSON_PARAMS = {"familyName", "givenName", "dob", "docNo", "personRef"}
_ENCOUNTER_PARAMS = {"personRef", "from", "to", "site"}
_PAGE_PARAMS = {"fields", "cursor", "limit"}

Record = Mapping[str, Any]


@dataclass(slots=True)
class Rate:
    """At most `per_s` requests in any one second, for everybody together."""

    per_s: int | None
    _recent: deque[float] = field(default_factory=deque)

    def wait_s(self) -> float:
        """0 and the request counts, or how long until one may pass."""
        if self.per_s is None:
            return 0.0
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= self.per_s:
            return self._recent[0] + 1 - now
        self._recent.append(now)
        return 0.0


class Restricted(Exception):
    """The record exists and may not be given out: code E4007."""


class NotFound(Exception):
    """There is no such record: code E4004."""


def find_persons(store: Store, params: Mapping[str, str]) -> Iterable[Record]:
    """The persons that the parameters select, in the order of personRef.

    Raises:
        BadRequest: not one of the allowed combinations.
        Restricted, NotFound: the only personRef asked for is so.
    """
    given = params.keys() & _PERSON_PARAMS
    if given == {"personRef"}:
        return _by_refs(store, params["personRef"])
    if given == {"docNo"}:
        return store.persons_by_document(params["docNo"])
    if len(given) >= 2 and given <= {"familyName", "givenName", "dob"}:
        return store.persons_by_criteria(
            params.get("familyName"), params.get("givenName"), params.get("dob")
        )
    raise BadRequest("E4002", "give two of familyName, givenName, dob; or docNo; or personRef")


def find_encounters(store: Store, params: Mapping[str, str]) -> Iterable[Record]:
    """The encounters that the parameters select, in the order of encounterRef.

    Raises:
        BadRequest: not one of the allowed combinations.
        Restricted: the only personRef asked for is so.
    """
    given = params.keys() & _ENCOUNTER_PARAMS
    if given == {"personRef"}:
        refs = _refs(params["personRef"])
        if len(refs) == 1 and store.is_restricted(refs[0]):
            raise Restricted
        return store.encounters_of(refs)
    if {"from", "to"} <= given <= {"from", "to", "site"}:
        start, end = params["from"], params["to"]
        if not (start.isdecimal() and end.isdecimal()):
            raise BadRequest("E4003", "from and to are epoch milliseconds")
        return store.encounters_between(int(start), int(end), params.get("site"))
    raise BadRequest("E4002", "give personRef; or from and to, with or without site")


def _refs(text: str) -> Sequence[str]:
    refs = [ref for ref in text.split(",") if ref]
    if not 0 < len(refs) <= MAX_REFS:
        raise BadRequest("E4005", f"1 to {MAX_REFS} references")
    return refs


def _by_refs(store: Store, text: str) -> Iterable[Record]:
    refs = _refs(text)
    if len(refs) == 1:
        if store.is_restricted(refs[0]):
            raise Restricted
        if not store.has_person(refs[0]):
            raise NotFound
    return store.persons_by_refs(refs)


def page(found: Iterable[Record], key: str, params: Mapping[str, str]) -> dict[str, object]:
    """One page of records with a cursor to the next; only the named fields.

    Raises:
        BadRequest: a cursor, limit or field that does not exist.
    """
    limit = params.get("limit", str(PAGE))
    if not limit.isdecimal() or not 0 < int(limit) <= PAGE:
        raise BadRequest("E4006", f"limit is 1 to {PAGE}")
    after = cursor_at(params["cursor"]) if "cursor" in params else ""
    wanted = sorted({record[key]: record for record in found if record[key] > after}.items())
    shown, more = wanted[: int(limit)], len(wanted) > int(limit)
    fields = params.get("fields")
    items = [projected(record, key, fields) for _, record in shown]
    return {"items": items, "next": cursor_of(shown[-1][0]) if more else None}


def application(store: Store, rate: Rate, desk: TokenDesk) -> Starlette:
    """The service over `store`."""

    def endpoint(
        scope: str,
        key: str,
        known: set[str],
        find: Callable[[Store, Mapping[str, str]], Iterable[Record]],
    ) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            if refusal := desk.refusal(request, scope):
                return refusal
            if wait_s := rate.wait_s():
                seconds = str(math.ceil(wait_s))  # whole seconds: RFC 9110, section 10.2.3
                return _fault(429, "E4290", "too many requests", {"retry-after": seconds})
            pairs = request.query_params.multi_items()
            params = dict(pairs)
            try:
                if len(params) != len(pairs) or params.keys() - known - _PAGE_PARAMS:
                    raise BadRequest("E4001", "unknown or repeated parameter")
                return JSONResponse(page(find(store, params), key, params))
            except BadRequest as error:
                return _fault(400, error.code, error.message)
            except Restricted:
                return JSONResponse({"code": "E4007"}, status_code=403)
            except NotFound:
                return _fault(404, "E4004", "no such person")

        return answer

    async def health(_: Request) -> Response:
        return Response(status_code=204)

    persons = endpoint("persons.read", "personRef", _PERSON_PARAMS, find_persons)
    encounters = endpoint("encounters.read", "encounterRef", _ENCOUNTER_PARAMS, find_encounters)
    return Starlette(
        routes=[
            Route("/oauth/token", desk.issue, methods=["POST"]),
            Route("/v2/persons", _on_loop(persons), methods=["GET"]),
            Route("/v2/encounters", _on_loop(encounters), methods=["GET"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


def _on_loop(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """Answer on the event loop: the work is short and the rate's count needs no lock there."""

    async def route(request: Request) -> Response:
        return answer(request)

    return route


def _fault(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=headers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.services.bid", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what write_bid() wrote")
    parser.add_argument("--rate", type=int, default=10, help="requests per second (10)")
    parser.add_argument("--no-rate", action="store_true", help="lift the limit, for benchmarks")
    parser.add_argument("--token-ttl", type=int, default=3600, help="seconds a token lives")
    given = arguments(parser).parse_args()
    desk = TokenDesk(scopes=frozenset({"persons.read", "encounters.read"}), ttl_s=given.token_ttl)
    rate = Rate(None if given.no_rate else given.rate)
    app = application(Store.load(given.data), rate, desk)
    serve(app, listener(given.port), given.parent_pid)


if __name__ == "__main__":
    main()
