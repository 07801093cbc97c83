"""What a caller asks for, as conditions in the catalogue's names and values in normal form.

What no source is to be asked for is refused here: nothing in particular, prefixes of a letter or
two, lists and texts without end. A refusal never quotes a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.conditions import Compare, Condition, Op, all_of, any_of
from gateway.catalogue.forms import comparable, duration, normal, utc_text
from gateway.catalogue.schema import camel
from gateway.catalogue.vocabulary import Argument, Link, Root, Vocabulary
from gateway.errors import InvalidOperation, LimitExceeded
from gateway.settings import Limits

_FIRST_YEAR, _LAST_YEAR = "1900", "2199"  # of a time asked for; clocks and zones add to it


@dataclass(frozen=True, slots=True)
class Criteria:
    """Turns the arguments of one question into conditions."""

    vocabulary: Vocabulary
    limits: Limits
    now: datetime

    def of_root(self, root: Root, args: Mapping[str, Any]) -> Condition:
        """What a root field asks for.

        Raises:
            InvalidOperation: criteria that cannot be used as they are.
            LimitExceeded: too many of them, or too long.
        """
        parts = self._conditions(root.args, args, root.entity)
        if root.by:
            parts.append(self._named(root, root.by, args["by"]))
        if root.any_of:
            alternatives = args["any_of"]
            if not alternatives:
                raise InvalidOperation(f"{camel(root.any_of)}: give at least one alternative.")
            if len(alternatives) > self.limits.alternatives:
                raise LimitExceeded.of("alternatives", self.limits.alternatives, len(alternatives))
            parts.append(any_of(self._named(root, root.any_of, a) for a in alternatives))
        return all_of(parts)

    def of_link(self, link: Link, args: Mapping[str, Any], entity: str) -> Condition:
        """What a link to `entity` asks for.

        Raises:
            InvalidOperation, LimitExceeded: as `of_root`.
        """
        return all_of(self._conditions(link.args, args, entity))

    def _named(self, root: Root, name: str, values: Mapping[str, Any]) -> Condition:
        arguments = self.vocabulary.inputs[name]
        given = {key: value for key, value in values.items() if value is not None}
        if not any(arguments[key].alone for key in given):
            enough = ", ".join(camel(a.name) for a in arguments.values() if a.alone)
            raise InvalidOperation(f"{name}: name at least one of {enough}.")
        return all_of(self._conditions(arguments, given, root.entity))

    def _conditions(
        self, arguments: Mapping[str, Argument], given: Mapping[str, Any], type_name: str
    ) -> list[Condition]:
        entity = self.vocabulary.concrete(type_name)[0]
        return [
            self._compare(argument, given[name], entity)
            for name, argument in arguments.items()
            if given.get(name) is not None and not argument.narrows_type
        ]

    def _compare(self, argument: Argument, value: Any, entity: str) -> Compare:
        """The comparison that an argument means, its value in normal form."""
        if argument.before_now:
            return Compare(argument.on, Op(argument.op), utc_text(self.now - duration(value)))
        scalar = self._scalar(entity, argument.on)
        values = value if argument.op == "in" else (value,)
        self._check_size(argument, values)
        try:
            if argument.op == "in":
                asked = dict.fromkeys(normal(scalar, v) for v in values)
                return Compare(argument.on, Op.IN, tuple(asked))
            settled = normal(scalar, value)
        except ValueError as error:
            raise InvalidOperation(f"{camel(argument.name)}: {error}.") from None
        if scalar == "DateTime" and not _FIRST_YEAR <= settled[:4] <= _LAST_YEAR:
            years = f"{_FIRST_YEAR} and {_LAST_YEAR}"
            raise InvalidOperation(f"{camel(argument.name)}: a time lies between {years}.")
        if argument.min_length and _told(scalar, settled) < argument.min_length:
            text = f"{camel(argument.name)}: give at least {argument.min_length} characters."
            raise InvalidOperation(text)
        if scalar == "Postcode" and argument.op == "eq" and " " not in settled:
            return Compare(
                argument.on, Op.STARTSWITH, f"{settled} "
            )  # every postcode of a district
        return Compare(argument.on, Op(argument.op), settled)

    def _check_size(self, argument: Argument, values: Sequence[Any]) -> None:
        """Refuse what no source is to be asked for: lists and texts without end, and NUL."""
        if len(values) > self.limits.values:
            raise LimitExceeded.of("values", self.limits.values, len(values))
        for text in (value for value in values if isinstance(value, str)):
            if len(text) > self.limits.text_chars:
                raise LimitExceeded.of("text_chars", self.limits.text_chars, len(text))
            if "\0" in text:
                raise InvalidOperation(f"{camel(argument.name)}: this must be a text.")

    def _scalar(self, entity: str, dotted: str) -> str:
        for candidate in (entity, *self.vocabulary.entities):
            try:
                return self.vocabulary.field_at(candidate, dotted).type.name
            except KeyError:
                continue
        return "String"


def _told(scalar: str, asked: Any) -> int:
    """How many characters of a text are compared: not spaces, marks or apostrophes."""
    folded = comparable(scalar, asked)
    return len(str(folded[0] if isinstance(folded, list) else folded))
