"""The policy's tables as files, where this machine has them. OPA alone decides by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.catalogue.coordinates import TABLES, strangers
from gateway.catalogue.vocabulary import Vocabulary
from gateway.errors import ConfigError, Fault


def read_table(folder: Path, name: str) -> dict[str, Any]:
    """One table; empty where this machine does not have it.

    Raises:
        ConfigError: it is there, and cannot be read as a table.
    """
    fault = Fault(file=f"tables/{name}/data.json", key="-", text="cannot be read as a table")
    try:
        found = json.loads((folder / name / "data.json").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # unreadable, not UTF-8 or not JSON
        raise ConfigError(fault) from error
    if not isinstance(found, dict):
        raise ConfigError(fault)
    return found


def shown_table(folder: Path, name: str) -> dict[str, Any]:
    """The same for a page, which says less where a table cannot be read."""
    try:
        return read_table(folder, name)
    except ConfigError:
        return {}


def unknown_coordinates(folder: Path, vocabulary: Vocabulary) -> tuple[Fault, ...]:
    """Names in the tables for what the vocabulary does not have; tables that cannot be read."""
    tables: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    for name in TABLES:
        try:
            tables[name] = read_table(folder, name)
        except ConfigError as error:
            faults += error.faults
    return (*faults, *strangers(vocabulary, tables))
