"""A stored image is the probe of a face search only where it may be seen itself."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import And, Compare, Op
from gateway.catalogue.mapping import Catalogue, read_catalogue
from gateway.model import FetchResult, PartGrant, State
from gateway.query.derived import Moment
from gateway.query.fanout import FanOut
from tests.memory import Memory
from tests.unit.query.world import (
    HEADER,
    NOW,
    REFS,
    allowed,
    operation,
    plan_of,
    vocabulary,
)

SEEN = And(
    (
        Compare("retention", Op.IN, ("CURRENT", "REVIEW_DUE")),
        Compare("marking", Op.IN, ("OFFICIAL",)),
        Compare("silent", Op.EQ, False),
        Compare("victim", Op.EQ, False),
    )
)
IMAGE = {"kept": "H", "mark": "O", "silent": 0, "victim": "N", "who": "NORTH:1", "hnd": "P"}
IMAGES = [
    {"id": "seen", **IMAGE, "score": 0.9},
    {"id": "like", **IMAGE, "score": 0.8},
    {"id": "gone", **IMAGE, "kept": "X", "score": 0.9},
    {"id": "victim", **IMAGE, "victim": "Y", "score": 0.9},
    {"id": "restricted", **IMAGE, "mark": "S", "score": 0.9},
    {"id": "silent", **IMAGE, "silent": 1, "score": 0.9},
]


def gallery() -> Catalogue:
    header = {
        **HEADER,
        "retention": {"column": "kept", "values": {"H": "CURRENT", "X": "DISPOSE"}},
        "marking": {"column": "mark", "values": {"O": "OFFICIAL", "S": "OFFICIAL_SENSITIVE"}},
        "victim": {"column": "victim", "values": {"Y": True, "N": False}},
    }
    columns = {"subject": "who", "likeness": {"column": "emb", "ask": False}}
    source: dict[str, Any] = {
        "version": 1, "id": "north", "agency": "NORTH", "connector": "vector", "header": header,
        "gallery": {"model": "m1", "threshold": 0.6, "notice": "Leads."},
        "entity": {
            "ImageRef": {"relation": "face", "columns": {"subject": "who"}},
            "FaceCandidate": {"relation": "face", "columns": columns},
        },
    }  # fmt: skip
    return read_catalogue(vocabulary(), [("north.toml", source)])


def searched(ref: str) -> tuple[FetchResult, Memory]:
    """What a search by the image of that ref finds, under the guard, and what was asked."""
    held, source = gallery(), Memory({"face": IMAGES})
    document = "query ($r: OpaqueRef!) { faceSearch(probe: {ref: $r}) { candidates { rank } } }"

    def guarded(_id: str, grant: PartGrant) -> PartGrant:
        return replace(grant, rows=SEEN)

    agreed = allowed(plan_of(operation(document, {"r": ref}), held=held), guarded)
    visits = FanOut(
        catalogue=held, sources={"north": source}, moment=Moment(now=NOW), query_id="q",
        ends_at=math.inf,
    )  # fmt: skip
    return asyncio.run(visits.visit(agreed))[0]["f0"], source


def image(key: str, *, agency: str = "NORTH", source: str = "north") -> str:
    return REFS.seal(agency, source, "ImageRef", key)


def test_in_18_an_image_that_may_be_seen_is_a_probe() -> None:
    found, source = searched(image("seen"))
    assert [record.key for record in found.records] == ["like"]
    told = {name: found.records[0].values[f"\0{name}"] for name in ("rank", "score", "threshold")}
    assert told == {"rank": 1, "score": 0.8, "threshold": 0.6}
    look, search = source.asked
    assert look.near is None
    assert look.guard == search.guard
    assert search.near is not None
    assert search.near.ref == "seen"


@pytest.mark.parametrize(
    "ref",
    [
        *map(image, ("gone", "victim", "restricted", "silent", "nobody")),
        image("seen", agency="EAST"),
        image("seen", source="east"),
        REFS.seal("NORTH", "north", "FaceCandidate", "seen"),
        "nonsense",
    ],
    ids=["gone", "victim", "restricted", "silent", "unheld", "agency", "source", "kind", "damaged"],
)
def test_in_18_an_image_that_may_not_be_seen_is_a_probe_like_none(ref: str) -> None:
    found, source = searched(ref)
    assert replace(found, elapsed_s=0.0) == FetchResult(state=State.ANSWERED)
    assert all(query.near is None for query in source.asked)  # nothing was ranked
