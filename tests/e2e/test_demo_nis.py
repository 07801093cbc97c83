"""NIS as a real process over PostgreSQL and pgvector: what may be ranked, and what never is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx
import pytest

from deploy.demo.agencies.nis import SERVICE_ROLE, embedding, write_nis
from tests.e2e.services import client, get
from tests.e2e.smallworld import ARBEN, guid, image, small_world
from tests.servers import Postgres, postgres

NIS = "deploy.demo.services.nis"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with postgres(tmp_path_factory.mktemp("nis") / "pg") as server:
        yield server


@pytest.fixture(scope="module")
async def nis(database: Postgres) -> AsyncIterator[httpx.AsyncClient]:
    await write_nis(database.url("postgres"), small_world())
    async with client(NIS, "--dsn", database.url(SERVICE_ROLE)) as http:
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
    (held,) = (await get(nis, "/images", img_id=image(1, ARBEN).image_id))["items"]
    assert (held["taken_on"], held["force_cd"]) == ("2025-01-01", "NMC")
    for params in ({}, {"img_id": "x"}, {"subj_ref": "a", "img_id": guid(1)}, {"q": "x"}):
        assert (await nis.get("/images", params=params)).status_code == 400
    for fields in ("cohort", "emb", "*"):
        answer = await nis.get("/images", params={"subj_ref": "a", "fields": fields})
        assert answer.status_code == 400
    assert (await get(nis, "/models"))["m1"] == {"threshold": 0.62, "gallery_size": 42}


async def test_nis_role_can_neither_write_nor_see_the_cohort(
    nis: httpx.AsyncClient, database: Postgres
) -> None:
    assert (await nis.get("/health")).status_code == 204
    dsn = database.url(SERVICE_ROLE).replace("+asyncpg", "")
    connection = await asyncpg.connect(dsn)
    try:
        for statement in (
            "SELECT cohort FROM face",
            "UPDATE face SET quality = 1",
            "DELETE FROM face",
            "INSERT INTO face (img_id) VALUES (gen_random_uuid())",
            "CREATE TABLE x (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
