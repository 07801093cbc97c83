"""What NIS holds of the population: images as invented vectors (domain-model.md 3.6).

A person has a point in each model's space; an image lies near it. How near, and how near each
other the people of one cohort lie, differs between cohorts, as it does with real models; that is
what equity tests are for. Nothing here was ever a face.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Mapping
from uuid import UUID
from zlib import crc32

import asyncpg

from deploy.demo.population import Image, Population

SIZE = 512
SERVICE_ROLE = "nis_service"
# cohort -> (how far images stray from their person, how much the cohort's people have in common)
SPREAD: Mapping[str, tuple[float, float]] = {
    "A": (0.30, 0.10),
    "B": (0.36, 0.18),
    "C": (0.42, 0.26),
    "D": (0.48, 0.34),
    "E": (0.52, 0.42),
    "F": (0.56, 0.50),
}
_COLUMNS = (
    *("img_id", "subj_ref", "force_cd", "taken_on", "pose", "quality", "model"),
    *("emb", "retention_cd", "cohort"),
)
# The service's role reads what the service needs: never the cohort, and nothing it could change.
_SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
DROP VIEW IF EXISTS face_held;
DROP TABLE IF EXISTS face;
CREATE TABLE face (
    img_id uuid PRIMARY KEY,
    subj_ref text NOT NULL,
    force_cd text NOT NULL,
    taken_on date NOT NULL,
    pose smallint NOT NULL,
    quality real NOT NULL,
    model text NOT NULL,
    emb vector(512) NOT NULL,
    retention_cd text NOT NULL CHECK (retention_cd IN ('H', 'R', 'Q', 'X')),
    cohort text NOT NULL
);
CREATE INDEX face_subject ON face (subj_ref);
CREATE VIEW face_held AS
    SELECT img_id, subj_ref, force_cd, taken_on, pose, quality, model, retention_cd
    FROM face WHERE retention_cd <> 'X';
DO $$ BEGIN
    CREATE ROLE nis_service LOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO nis_service', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO nis_service;
GRANT SELECT ON face_held TO nis_service;
GRANT SELECT (img_id, subj_ref, force_cd, taken_on, pose, quality, model, emb, retention_cd)
    ON face TO nis_service;
"""


async def write_nis(url: str, population: Population) -> None:
    """Fill the database at `url`, as its owner; what `deploy.demo.services.nis` then serves.

    `url` is PostgreSQL's, with or without a driver's name in its scheme.
    """
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg:", "postgresql:", 1))
    try:
        async with connection.transaction():
            await connection.execute(_SCHEMA)
            await connection.set_type_codec(
                "vector", encoder=_binary, decoder=bytes, format="binary"
            )
            gold = frozenset(population.gold.values())
            rows = [_row(image, model_of(image, gold)) for image in population.images]
            await connection.copy_records_to_table("face", records=rows, columns=_COLUMNS)
    finally:
        await connection.close()


def model_of(image: Image, gold: frozenset[str]) -> str:
    """Which model version an image was enrolled with: one in ten has been enrolled again."""
    return "m2" if image.person not in gold and crc32(image.image_id.encode()) % 10 == 0 else "m1"


def embedding(image_id: str, person: str, cohort: str, model: str = "m1") -> tuple[float, ...]:
    """The unit vector of an image: the same for the same arguments, whenever it is drawn.

    Any other `image_id` gives a new image of the same person: a probe for demonstrations.
    """
    stray, common = SPREAD[cohort]
    centre = _direction(f"{model}/cohort/{cohort}")
    own = _direction(f"{model}/person/{person}")
    noise = _direction(f"{model}/image/{image_id}")
    point = _unit([common * c + p for c, p in zip(centre, own, strict=True)])
    near = math.sqrt(1 - stray * stray)
    return tuple(_unit([near * p + stray * n for p, n in zip(point, noise, strict=True)]))


def _direction(seed: str) -> list[float]:
    draw = random.Random(seed)  # noqa: S311 - invented data, and the same every time
    return _unit([draw.gauss(0.0, 1.0) for _ in range(SIZE)])


def _unit(values: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(value * value for value in values))
    return [value / length for value in values]


def _row(image: Image, model: str) -> tuple[object, ...]:
    emb = embedding(image.image_id, image.person, image.cohort, model)
    return (
        *(UUID(image.image_id), image.subject, str(image.force), image.taken_on),
        *(image.pose, image.quality, model, emb, image.retention, image.cohort),
    )


def _binary(values: tuple[float, ...]) -> bytes:
    """pgvector's wire form: dimensions, a reserved field, then single-precision floats."""
    return struct.pack(f">HH{len(values)}f", len(values), 0, *values)
