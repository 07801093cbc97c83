"""NIS's own service: custody images found by likeness, over a PostgreSQL with pgvector.

    python -m deploy.demo.services.nis --dsn postgresql://... --port 9003

    POST /oauth/token   client credentials; scope images.read
    POST /search        {"emb": [512 floats], "k": 1..100, "min_score": 0..1, "model": "m1" | "m2",
                        "force_cd": "NMC" (optional)}; or "img_id" of a held image for "emb"
    GET  /images        subj_ref=a,b (100) or img_id=a,b (100); fields=img_id,taken_on,...
    GET  /models        threshold of each model version, size of the gallery

Images whose deletion is decided (retention X) are left out before anything is ranked, so they
take no place among the k and are no answer to anything. The probe is not kept. `cohort`, a label
for equity tests of the synthetic gallery, is in no answer, and no vector ever leaves.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo.services.oauth import TokenDesk
from deploy.demo.services.ready import arguments, listener, serve

SIZE = 512
MAX_K = 100
MAX_REFS = 100
MODELS: Mapping[str, float] = {"m1": 0.62, "m2": 0.70}  # not comparable with each other
COLUMNS = ("img_id", "subj_ref", "force_cd", "taken_on", "pose", "quality", "retention_cd", "model")
_BODY_BYTES = 64 * 1024

# The gallery is small enough to be ranked exactly. An approximate index would rank first and
# filter afterwards, which is what must not happen here.
_SEARCH = """
SELECT img_id, subj_ref, force_cd, taken_on, pose, quality, retention_cd, model,
       1 - (emb <=> $1::vector) AS score
FROM face
WHERE retention_cd <> 'X' AND model = $2 AND ($3::text IS NULL OR force_cd = $3)
  AND 1 - (emb <=> $1::vector) >= $4 AND ($6::uuid IS NULL OR img_id <> $6)
ORDER BY emb <=> $1::vector, img_id
LIMIT $5
"""
_HELD = "SELECT emb::text FROM face WHERE img_id = $1 AND model = $2 AND retention_cd <> 'X'"
_SEARCH_KEYS = frozenset({"emb", "img_id", "k", "min_score", "model", "force_cd"})
_PROBES = frozenset({"emb", "img_id"})
_BY = {
    "subj_ref": "SELECT * FROM face_held WHERE subj_ref = ANY($1::text[]) ORDER BY img_id",
    "img_id": "SELECT * FROM face_held WHERE img_id = ANY($1::uuid[]) ORDER BY img_id",
}
_SIZES = "SELECT model, count(*) AS n FROM face WHERE retention_cd <> 'X' GROUP BY model"


class BadRequest(Exception):
    """A request that does not fit the interface; the text says what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to rank by likeness to, and how much of the ranking is wanted."""

    emb: str | None  # as pgvector reads it
    img_id: UUID | None  # a held image instead
    model: str
    force: str | None
    min_score: float
    k: int


def probe_of(body: object) -> Probe:
    """The arguments of a search.

    Raises:
        BadRequest: anything is missing, of a wrong type or out of range.
    """
    if not isinstance(body, dict) or body.keys() - _SEARCH_KEYS or len(body.keys() & _PROBES) != 1:
        raise BadRequest("the body holds emb or img_id, k, min_score, model and perhaps force_cd")
    k, low, model, force = (body.get(name) for name in ("k", "min_score", "model", "force_cd"))
    if type(k) is not int or not 0 < k <= MAX_K:
        raise BadRequest(f"k is 1 to {MAX_K}")
    if not _is_number(low) or not 0 <= float(str(low)) <= 1:
        raise BadRequest("min_score is 0 to 1")
    if not isinstance(model, str) or model not in MODELS:
        raise BadRequest(f"model is one of {', '.join(MODELS)}")
    if not (force is None or isinstance(force, str)):
        raise BadRequest("force_cd is text")
    return Probe(
        emb=_unit_vector(body["emb"]) if "emb" in body else None,
        img_id=_uuid(body["img_id"]) if "img_id" in body else None,
        model=model,
        force=force,
        min_score=float(str(low)),
        k=k,
    )


def _unit_vector(emb: object) -> str:
    if not isinstance(emb, list) or len(emb) != SIZE or not all(map(_is_number, emb)):
        raise BadRequest(f"emb is a list of {SIZE} numbers")
    if not math.isclose(math.fsum(value * value for value in emb), 1.0, abs_tol=1e-3):
        raise BadRequest("emb has unit length")
    return vector_text(emb)


def _uuid(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError as error:
        raise BadRequest("img_id is a UUID") from error


def vector_text(emb: list[float]) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(repr(float(value)) for value in emb) + "]"


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(str(value)))


def image(row: Mapping[str, Any], fields: tuple[str, ...] = COLUMNS) -> dict[str, object]:
    """The named columns of an image; `emb` and `cohort` cannot be named."""
    shown = {name: row[name] for name in fields}
    for name, value in shown.items():
        if not isinstance(value, str | int | float | None):
            shown[name] = str(value)  # UUID and date
    return shown


async def search(pool: asyncpg.Pool, request: Request) -> JSONResponse:
    raw = await request.body()
    try:
        body = json.loads(raw) if len(raw) <= _BODY_BYTES else None
    except (ValueError, RecursionError):
        body = None
    probe = probe_of(body)
    emb = probe.emb or await pool.fetchval(_HELD, probe.img_id, probe.model)
    args = (emb, probe.model, probe.force, probe.min_score, probe.k + 1, probe.img_id)
    rows = await pool.fetch(_SEARCH, *args) if emb else []
    found = [image(row) | {"score": round(float(row["score"]), 6)} for row in rows[: probe.k]]
    return JSONResponse(
        {
            "items": found,
            "model": probe.model,
            "threshold": MODELS[probe.model],
            "more": len(rows) > probe.k,
        }
    )


async def images(pool: asyncpg.Pool, request: Request) -> JSONResponse:
    params = request.query_params
    by = [name for name in _BY if name in params]
    if len(by) != 1 or len(params.multi_items()) != len(params) or set(params) - {*by, "fields"}:
        raise BadRequest("give subj_ref or img_id, and perhaps fields")
    fields = tuple(params.get("fields", ",".join(COLUMNS)).split(","))
    if set(fields) - set(COLUMNS):
        raise BadRequest(f"fields are among {', '.join(COLUMNS)}")
    refs: list[Any] = params[by[0]].split(",")
    if len(refs) > MAX_REFS:
        raise BadRequest(f"at most {MAX_REFS} references")
    if by[0] == "img_id":
        refs = [_uuid(ref) for ref in refs]
    else:
        refs = [ref for ref in refs if "\0" not in ref]  # no text of the database holds one
    rows = await pool.fetch(_BY[by[0]], refs)
    return JSONResponse({"items": [image(row, fields) for row in rows]})


async def models(pool: asyncpg.Pool, _: Request) -> JSONResponse:
    sizes = {row["model"]: row["n"] for row in await pool.fetch(_SIZES)}
    return JSONResponse(
        {
            name: {"threshold": threshold, "gallery_size": sizes.get(name, 0)}
            for name, threshold in MODELS.items()
        }
    )


Answer = Callable[[asyncpg.Pool, Request], Coroutine[Any, Any, JSONResponse]]


def application(dsn: str, desk: TokenDesk) -> Starlette:
    """The service over the database at `dsn`."""
    held: list[asyncpg.Pool] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        settings = {"default_transaction_read_only": "on", "statement_timeout": "5000"}
        async with asyncpg.create_pool(
            dsn.replace("postgresql+asyncpg:", "postgresql:", 1),
            min_size=1,
            max_size=4,
            server_settings=settings,
        ) as pool:
            held.append(pool)
            yield
            held.clear()

    def endpoint(answer: Answer) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def route(request: Request) -> Response:
            if refusal := desk.refusal(request, "images.read"):
                return refusal
            try:
                return await answer(held[0], request)
            except BadRequest as error:
                return JSONResponse({"error": "bad_request", "message": str(error)}, 400)

        return route

    async def health(_: Request) -> Response:
        await held[0].fetchval("SELECT 1")
        return Response(status_code=204)

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/oauth/token", desk.issue, methods=["POST"]),
            Route("/search", endpoint(search), methods=["POST"]),
            Route("/images", endpoint(images), methods=["GET"]),
            Route("/models", endpoint(models), methods=["GET"]),
            Route("/health", health, methods=["GET"]),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.services.nis", description=__doc__)
    parser.add_argument("--dsn", required=True, help="PostgreSQL that write_nis() filled")
    parser.add_argument("--token-ttl", type=int, default=3600, help="seconds a token lives")
    given = arguments(parser).parse_args()
    desk = TokenDesk(scopes=frozenset({"images.read"}), ttl_s=given.token_ttl)
    serve(application(given.dsn, desk), listener(given.port), given.parent_pid)


if __name__ == "__main__":
    main()
