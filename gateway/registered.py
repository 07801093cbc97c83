"""Persisted documents: which app may send which, from files."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway.errors import ConfigError, Fault

LIST: Final = "apps.toml"


def documents_in(directory: Path) -> dict[str, dict[str, str]]:
    """The documents of each app (`client_id`), by SHA-256: those of the files that the directory's
    list has for it. A file that no app has is nobody's; without a list no app has any.

    Raises:
        ConfigError: the list or a file of it cannot be read.
    """
    file = directory / LIST
    try:
        rows = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # unreadable, not UTF-8 or not TOML
        raise ConfigError(Fault(file=str(file), key="-", text="cannot be read")) from error
    return {app: dict(_documents(file, app, names)) for app, names in rows.items()}


def _documents(file: Path, app: str, names: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(Fault(file=str(file), key=app, text="must be a list of files' names"))
    for name in names:
        try:
            text = (file.parent / f"{name}.graphql").read_text("utf-8")
        except (OSError, ValueError) as error:
            fault = Fault(file=str(file), key=f"{app}.{name}", text="cannot be read")
            raise ConfigError(fault) from error
        yield hashlib.sha256(text.encode()).hexdigest(), text
