"""From rows to records in the catalogue's names: which columns to read, and what they mean. Pure.

Elements of a component come with their owner's row, or as rows of a child relation of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from connectors.conditions import ALWAYS, Condition, fields_of, holds
from gateway.catalogue.conversions import Codec
from gateway.catalogue.mapping import BIT, EntityMapping, Entry
from gateway.model import PartGrant, Record, Show
from gateway.query.certain import certain
from gateway.query.need import Need

Slot: TypeAlias = tuple[str, Codec, tuple[int, ...]]
"""A field, how to read it, and where its columns stand in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A component whose elements come with the owner's row."""

    part: str
    entry: Entry
    slots: tuple[Slot, ...]
    witnesses: tuple[int, ...]  # columns of which one must hold something for an element to be
    bit: int | None = None  # where the mask of `per_bit` stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the rows of one visit become records."""

    columns: tuple[str, ...]
    slots: tuple[Slot, ...]
    inlines: tuple[Inline, ...] = ()


class _Columns:
    """Collects the columns of a visit, each once."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}

    def slot(self, name: str, codec: Codec) -> Slot:
        return name, codec, tuple(self.add(column) for column in codec.columns)

    def add(self, column: str) -> int:
        return self.index.setdefault(column, len(self.index))


def layout_of(need: Need, mapping: EntityMapping, guards: Mapping[str, Condition]) -> Layout:
    """The columns of the main visit. A component whose guard only we could apply is left out
    unless the owner has consented to over-reading."""
    columns = _Columns()
    columns.add(mapping.key.columns[0])
    slots = [
        columns.slot(name, mapping.columns[name])
        for name in sorted(need.own)
        if name in mapping.columns
    ]
    slots.append(columns.slot("native_key", mapping.key))
    inlines: list[Inline] = []
    for part, names in sorted(need.parts.items()):
        for entry in mapping.parts.get(part, ()):
            if entry.relation is not None or not _may_read(entry, guards.get(part, ALWAYS)):
                continue
            inlines.append(_inline(part, entry, names, columns))
    return Layout(columns=tuple(columns.index), slots=tuple(slots), inlines=tuple(inlines))


def _inline(part: str, entry: Entry, names: frozenset[str], columns: _Columns) -> Inline:
    slots: list[Slot] = []
    witnesses: list[int] = []
    # What a bit means is read even if nobody asked: a bit that means nothing here is no element.
    names |= {name for name, codec in entry.columns.items() if codec.columns == (BIT,)}
    for name in sorted(names):
        codec = entry.columns.get(name)
        if codec is None:
            continue
        if codec.columns == (BIT,):
            slots.append((name, codec, (-1,)))
            continue
        slot = columns.slot(name, codec)
        slots.append(slot)
        witnesses.extend(slot[2])
    if not witnesses and entry.per_bit is None:
        # Only constants were asked for: an element is there if any of its columns holds something.
        for codec in entry.columns.values():
            witnesses.extend(columns.add(column) for column in codec.columns if column != BIT)
    bit = columns.add(entry.per_bit) if entry.per_bit else None
    return Inline(part=part, entry=entry, slots=tuple(slots), witnesses=tuple(witnesses), bit=bit)


def _may_read(entry: Entry, guard: Condition) -> bool:
    """Whether an element may be read: the guard holds by constants alone, or the owner consents."""
    if guard == ALWAYS:
        return True
    constants = {name: c.value for name, c in entry.columns.items() if c.constant}
    if fields_of(guard) <= set(constants):
        return holds(guard, constants)
    if any(field not in entry.columns for field in fields_of(guard)):
        return False
    return entry.over_read


def child_layout(entry: Entry, names: frozenset[str]) -> Layout:
    """The columns of a child relation's visit; the owner's key comes first."""
    columns = _Columns()
    columns.add(entry.by)
    slots = [
        columns.slot(name, entry.columns[name]) for name in sorted(names) if name in entry.columns
    ]
    return Layout(columns=tuple(columns.index), slots=tuple(slots))


def records_of(rows: Iterable[Sequence[Any]], layout: Layout) -> list[Record]:
    """The records that rows stand for, in the rows' order."""
    return [_record(row, layout) for row in rows]


def _record(row: Sequence[Any], layout: Layout) -> Record:
    values: dict[str, Any] = {}
    for name, codec, where in layout.slots:
        values[name] = codec.decode([row[i] for i in where])
    for inline in layout.inlines:
        values.setdefault(inline.part, []).extend(_inline_elements(row, inline))
    return Record(key=values["native_key"], values=values)


def _inline_elements(row: Sequence[Any], inline: Inline) -> Iterator[dict[str, Any]]:
    if inline.entry.each is not None:
        yield from _each(row, inline)
    elif inline.bit is not None:
        mask = row[inline.bit]
        mask = mask if isinstance(mask, int) else 0
        for bit in (1 << n for n in range(mask.bit_length())):
            if mask & bit:
                element = {
                    name: codec.decode([bit if i == -1 else row[i] for i in where])
                    for name, codec, where in inline.slots
                }
                if all(
                    v is not None
                    for (_, c, w), v in zip(inline.slots, element.values(), strict=True)
                    if w == (-1,)
                ):
                    yield element
    elif any(row[i] is not None and row[i] != "" for i in inline.witnesses):
        yield {name: codec.decode([row[i] for i in w]) for name, codec, w in inline.slots}


def _each(row: Sequence[Any], inline: Inline) -> Iterator[dict[str, Any]]:
    """Columns of a JSON list are lists of equal length; elements are zipped from them."""
    lists = [row[i] for i in inline.witnesses if isinstance(row[i], list)]
    for n in range(max(map(len, lists), default=0)):
        yield {
            name: codec.decode([_at(row[i], n) for i in where])
            for name, codec, where in inline.slots
        }


def _at(value: Any, n: int) -> Any:
    if isinstance(value, list):
        return value[n] if n < len(value) else None
    return value


def elements_of(
    rows: Iterable[Sequence[Any]], layout: Layout
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(owner's key as the source spells it, element) for each row of a child relation."""
    for row in rows:
        yield row[0], {name: codec.decode([row[i] for i in w]) for name, codec, w in layout.slots}


def kept_elements(part: PartGrant, elements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The elements that policy's condition on this component lets through."""
    if part.show is None or part.show is Show.SILENT:
        return []
    return [element for element in elements if certain(part.rows, element)]
