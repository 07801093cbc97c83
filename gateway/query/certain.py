"""Whether a record certainly satisfies a rule, where a date may be any of several days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.conditions import And, Compare, Condition, Op, Or, holds

_IN_ORDER: Final = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})


def certain(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Whether the values satisfy a rule of policy, whichever day a range of days stands for.

    A range is the text of two partial dates with a slash between. Both of its ends must satisfy a
    comparison of order, so that somebody who may be a child is never taken for a grown-up. In all
    else it is `connectors.conditions.holds`.
    """
    match condition:
        case And(parts):
            return all(certain(part, values) for part in parts)
        case Or(parts):
            return any(certain(part, values) for part in parts)
        case Compare(field, op) if op in _IN_ORDER and "/" in str(values.get(field)):
            ends = str(values[field]).split("/")
            return all(holds(condition, {field: end}) for end in ends)
        case _:
            return holds(condition, values)
