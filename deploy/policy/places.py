"""Every place of the vocabulary that a question can be about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.catalogue.schema import camel
from gateway.catalogue.vocabulary import Vocabulary

_REF: Final = "ref"  # the gateway's own name for a record: what is done to it is done to the record


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the vocabulary where a field stands: of an entity or of a part of it."""

    entity: str
    path: str  # "" or "addresses.location"
    type: str  # of what stands there
    field: str

    @property
    def said(self) -> str:
        parts = (*self.path.split("."), self.field) if self.path else (self.field,)
        return ".".join((self.entity, *map(camel, parts)))

    @property
    def names(self) -> tuple[str, str]:
        return self.said, f"{self.type}.{camel(self.field)}"


def places(vocabulary: Vocabulary) -> Iterator[Place]:
    """Every place of every field that a caller can ask for."""

    def below(entity: str, path: str, type_: str) -> Iterator[Place]:
        for name, field in vocabulary.fields_of(type_).items():
            if field.type.name in vocabulary.components:
                yield from below(entity, f"{path}.{name}" if path else name, field.type.name)
            elif not field.hidden:
                yield Place(entity, path, type_, name)

    for entity in vocabulary.entities:
        yield Place(entity, "", entity, _REF)
        yield from below(entity, "", entity)
