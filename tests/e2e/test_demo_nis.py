"""NIS as a real process over PostgreSQL and pgvector: what may be ranked, and what never is."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.agencies.nis import SERVICE_ROLE, embedding, write_nis
from deploy.demo.databases import PostgreSQL, remove_postgres_data
from tests.e2e.privileges import LARGE_OBJECTS
from tests.e2e.services import client, get
from tests.e2e.smallworld import ARBEN, guid, image, small_world

NIS = "deploy.demo.services.nis"


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with tempfile.TemporaryDirectory(prefix="portcullis-") as state:
        with PostgreSQL.start(Path(state)) as server:
            for name in ("nis", "another"):
                server.create_database(name)
            yield server
        remove_postgres_data(Path(state))


@pytest.fixture(scope="module")
async def nis(database: PostgreSQL) -> AsyncIterator[httpx.AsyncClient]:
    await write_nis(database.url(database="nis"), small_world())
    async with client(NIS, "--dsn", database.url(SERVICE_ROLE, "nis")) as http:
        yield http


def probe(**more: object) -> dict[str, object]:
    """A new image of Arben, as a camera might take it."""
    emb = embedding("probe", ARBEN, "A")
    return {"emb": emb, "k": 10, "min_score": 0.5, "model": "m1"} | more


async def test_nis_ranks_held_images_and_never_those_to_be_deleted(nis: httpx.AsyncClient) -> None:
    answer = (await nis.post("/search", json=probe())).json()
    ids = {item["img_id"] for item in answer["items"]}
    assert ids == {image(1, ARBEN).image_id, image(3, ARBEN).image_id}
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > answer["threshold"]
    # with k=2, an image that was ranked and then dropped would leave one
    top = (await nis.post("/search", json=probe(k=2, min_score=0.0))).json()
    assert (len(top["items"]), top["more"]) == (2, True)
    assert {item["img_id"] for item in top["items"]} == ids
    assert all(not item.keys() & {"emb", "cohort"} for item in top["items"])


async def test_nis_narrows_by_force_model_and_score(nis: httpx.AsyncClient) -> None:
    for narrowed in ({"force_cd": "SCP"}, {"model": "m2"}, {"min_score": 0.999}):
        assert (await nis.post("/search", json=probe(**narrowed))).json()["items"] == []


async def test_nis_takes_a_held_image_as_probe(nis: httpx.AsyncClient) -> None:
    body = {"img_id": image(1, ARBEN).image_id, "k": 1, "min_score": 0.5, "model": "m1"}
    answer = (await nis.post("/search", json=body)).json()
    assert [item["img_id"] for item in answer["items"]] == [image(3, ARBEN).image_id]
    deleted = body | {"img_id": image(2, ARBEN).image_id}
    assert (await nis.post("/search", json=deleted)).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"emb": []},
        {"emb": [0.0] * 512},
        {"emb": [1.0] * 512},
        {"emb": ["x"] * 512},
        {"emb": "x"},
        {"img_id": "x"},
        {"k": 0},
        {"k": 101},
        {"k": True},
        {"min_score": -1},
        {"min_score": "x"},
        {"model": "m9"},
        {"model": ["m1"]},
        {"force_cd": 1},
        {"cohort": "A"},
    ],
)
async def test_nis_refuses_bad_probes(nis: httpx.AsyncClient, wrong: dict[str, object]) -> None:
    assert (await nis.post("/search", json=probe(**wrong))).status_code == 400


async def test_nis_images_by_subject_and_id(nis: httpx.AsyncClient) -> None:
    asked = {"subj_ref": f"NMC:{ARBEN},NMC:T-000010", "fields": "img_id,retention_cd"}
    found = (await get(nis, "/images", **asked))["items"]
    assert sorted(item["retention_cd"] for item in found) == ["H", "H", "Q"]
    assert {frozenset(item) for item in found} == {frozenset({"img_id", "retention_cd"})}
    assert (await get(nis, "/images", img_id=image(2, ARBEN).image_id))["items"] == []
    assert (await get(nis, "/images", subj_ref="a\0b"))["items"] == []
    (held,) = (await get(nis, "/images", img_id=image(1, ARBEN).image_id))["items"]
    assert (held["taken_on"], held["force_cd"]) == ("2025-01-01", "NMC")
    for params in ({}, {"img_id": "x"}, {"subj_ref": "a", "img_id": guid(1)}, {"q": "x"}):
        assert (await nis.get("/images", params=params)).status_code == 400
    for fields in ("cohort", "emb", "*"):
        answer = await nis.get("/images", params={"subj_ref": "a", "fields": fields})
        assert answer.status_code == 400
    assert (await get(nis, "/models"))["m1"] == {"threshold": 0.62, "gallery_size": 42}


@pytest.mark.parametrize(
    "statement",
    [
        "select cohort from face",
        "select * from pg_largeobject",
        "update face set quality = 1",
        "delete from face",
        "insert into face (img_id) values (gen_random_uuid())",
        "create table mine (a int)",
        "create temporary table mine (a int)",
        "create schema mine",
        *LARGE_OBJECTS,
    ],
)
async def test_nis_role_can_neither_write_nor_see_the_cohort(
    nis: httpx.AsyncClient, database: PostgreSQL, statement: str
) -> None:
    assert (await nis.get("/health")).status_code == 204
    assert "permission denied" in _refused(database, statement, "nis")


@pytest.mark.parametrize("other", ["postgres", "template1", "another"])
def test_nis_role_enters_no_other_database(
    nis: httpx.AsyncClient, database: PostgreSQL, other: str
) -> None:
    assert "permission denied for database" in _refused(database, "select 1", other)


def _refused(database: PostgreSQL, statement: str, name: str) -> str:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        database.run(statement, database=name, role=SERVICE_ROLE)
    return str(failed.value.stderr)
