"""`gateway.toml` and the environment -> `Settings`; every fault at once, by file and key.

An unknown key is a fault: a limit that was misspelt is a limit that does not hold.
"""

from __future__ import annotations

import ipaddress
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.errors import ConfigError, Fault
from gateway.secrets import ENVIRONMENT_PREFIX
from gateway.settings import (
    LISTS,
    TABLES,
    AboutSetting,
    Declared,
    Limits,
    Settings,
    declared,
    declared_in,
)

PREFIX = "GATEWAY_"
WHOLE_FILE: Final = "(file)"  # the key of a fault that leaves nothing of a file to be read
ALGORITHMS = frozenset({"ES256", "RS256", "EdDSA", "Ed25519"})
_UNSET: Final = object()


def load(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings of a file (or none) overlaid by `GATEWAY_*` variables.

    A relative path in the file is relative to the file's folder, one in a variable to the current
    folder; a path that lies within another setting's folder is relative to that.

    Raises:
        ConfigError: a file that cannot be read, an unknown key, a value of the wrong type or out
            of its bounds. All of them, each with its file and key.
    """
    settings, faults = declared_settings(file, environment)
    if faults:
        raise ConfigError(*faults)
    return settings


def declared_settings(
    file: Path | None, environment: Mapping[str, str]
) -> tuple[Settings, tuple[Fault, ...]]:
    """As `load`, but with every fault given back, a setting at fault standing at its default."""
    reading = _Reading(file=str(file) if file else "gateway.toml")
    tables = _toml(file, reading.faults) if file else {}
    base = (file.parent if file else Path()).absolute()
    known = {one.key: one for one in declared()}
    values = reading.from_file(tables, known)
    from_environment = reading.from_environment(environment, known)
    values |= from_environment
    for one in known.values():
        if one.type is Path and not one.within:
            root = Path.cwd() if one.key in from_environment else base
            values[one.key] = root / values.get(one.key, one.default)
    for one in known.values():
        if one.within:
            values[one.key] = values[one.within] / values.get(one.key, one.default)
    return _built(values), tuple(reading.faults)


def _toml(file: Path, faults: list[Fault]) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        faults.append(Fault(file=str(file), key=WHOLE_FILE, text=text))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(Fault(file=str(file), key=WHOLE_FILE, text=str(error)))
    return {}


def _built(values: Mapping[str, Any]) -> Settings:
    def under(prefix: str) -> dict[str, Any]:
        return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}

    plain = {key: value for key, value in values.items() if "." not in key}
    return Settings(
        **plain, limits=Limits(**under("limits.")), about=AboutSetting(**under("about."))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One pass over the sources of settings, gathering faults."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, key: str, text: str, file: str = "") -> None:
        self.faults.append(Fault(file=file or self.file, key=key, text=text))

    def from_file(self, tables: Mapping[str, Any], known: Mapping[str, Declared]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, raw in _flat(tables).items():
            if key in LISTS:
                values[key] = self._list(key, raw)
            elif key in known:
                self._keep(values, known[key], raw, self.file, key)
            elif key in TABLES:
                self.fault(key, "must be a table")
            else:
                self.fault(key, "there is no such setting; see docs/settings.md")
        return values

    def from_environment(
        self, environment: Mapping[str, str], known: Mapping[str, Declared]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        variables = {one.variable: one for one in known.values() if one.variable}
        for name in sorted(environment):
            if not name.startswith(PREFIX) or name.startswith(ENVIRONMENT_PREFIX):
                continue
            if (one := variables.get(name)) is None:
                self.fault(name, "there is no such setting; see docs/settings.md", "environment")
                continue
            raw = _from_text(environment[name], one.type)
            self._keep(values, one, raw, "environment", name)
        return values

    def _keep(
        self, values: dict[str, Any], one: Declared, raw: object, file: str, name: str
    ) -> None:
        try:
            values[one.key] = _value(raw, one)
        except ValueError as error:
            self.fault(name, str(error), file)

    def _list(self, name: str, raw: object) -> tuple[Any, ...]:
        """The tables of `[[name]]`; no two of them share their first setting."""
        if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
            self.fault(name, f"must be tables: [[{name}]]")
            return ()
        known = {one.key: one for one in declared_in(LISTS[name])}
        found: list[Any] = []
        for place, table in enumerate(raw):
            values: dict[str, Any] = {}
            for key in table.keys() - known.keys():
                self.fault(f"{name}[{place}].{key}", "there is no such setting")
            for key, one in known.items():
                if key in table or one.default == "":
                    at = f"{name}[{place}].{key}"
                    self._keep(values, one, table.get(key, ""), self.file, at)
            found.append(LISTS[name](**values))
        first = next(iter(known))
        named = [value for one in found if (value := getattr(one, first))]
        for repeated in {value for value in named if named.count(value) > 1}:
            self.fault(name, f"{repeated} stands there twice; one {first}, one table")
        return tuple(found)


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """`{"limits": {"depth": 1}}` -> `{"limits.depth": 1}`, for the tables that we know."""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if key in TABLES and isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _from_text(text: str, kind: Any) -> object:
    """A variable's text as the value that TOML would have given; itself where it cannot be one."""
    try:
        if kind is int:
            return int(text) if len(text) <= 20 else text
        if kind is float:
            return float(text)
    except ValueError:
        return text
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if kind is str or kind is Path:
        return text
    return [item.strip() for item in text.split(",") if item.strip()]


def _value(raw: object, one: Declared) -> Any:
    """The value of a setting, typed and within its bounds.

    Raises:
        ValueError: it is not; the text says what it should be and never repeats the value.
    """
    value: Any = _UNSET
    if type(raw) is one.type and one.type in (bool, int, str):
        value = raw
    elif one.type is float and isinstance(raw, int | float) and not isinstance(raw, bool):
        value = float(raw)
    elif one.type is Path and isinstance(raw, str) and raw:
        value = Path(raw).expanduser()
    elif one.type == tuple[str, ...] and isinstance(raw, list):
        value = tuple(raw) if all(isinstance(item, str) for item in raw) else _UNSET
    if value is _UNSET:
        raise ValueError(f"must be {_wanted(one.type)}")
    _check_bounds(value, one)
    _check_form(value, one.form)
    return value


def _wanted(kind: Any) -> str:
    names = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        Path: "a path",
    }
    return names.get(kind, "a list of texts")


def _check_bounds(value: Any, one: Declared) -> None:
    if one.least is None or one.most is None:
        return
    if not math.isfinite(value) or not one.least <= value <= one.most:
        raise ValueError(f"must be between {one.least:g} and {one.most:g}")


def _check_form(value: Any, form: str) -> None:
    match form:
        case "url":
            try:
                url = urlsplit(value)
                fine = url.scheme in ("http", "https") and url.hostname and url.username is None
            except ValueError:
                fine = False
            if not fine:
                raise ValueError("must be an http or https address without user or password")
        case "name" if not value:
            raise ValueError("must be given")
        case "algorithms" if not value or not set(value) <= ALGORITHMS:
            raise ValueError(f"must be among {', '.join(sorted(ALGORITHMS))}")
        case "networks":
            for item in value:
                _check_network(item)


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError("must be networks such as 10.0.0.0/8") from error
