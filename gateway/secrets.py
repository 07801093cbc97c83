"""What must not stand in a configuration file: secrets by name, and the gateway's own keys.

A secret is named in configuration and read from the environment or from a file. Its type prints
as `***`, so that no traceback, log line or settings dump can show one.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import ConfigError, Fault

ENVIRONMENT_PREFIX = "GATEWAY_SECRET_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FOREIGN_BITS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Secret:
    """Bytes that nothing prints. `reveal` is the only way to them."""

    _value: bytes = field(repr=False)

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecrets:
    """The secrets that connectors name in their mapping files; a `connectors.spi.Secrets`.

    The environment wins, so that an orchestrator may inject what a file would hold elsewhere.
    """

    folder: Path
    environment: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """The secret of that name: `GATEWAY_SECRET_<NAME>`, else the file `<folder>/<name>`.

        A newline at the end of a file does not count.

        Raises:
            KeyError: there is none, or the name could leave the folder.
        """
        if not _NAME.fullmatch(name):
            raise KeyError(name)
        variable = ENVIRONMENT_PREFIX + name.upper().replace("-", "_")
        if (value := self.environment.get(variable)) is not None:
            return value
        try:
            return (self.folder / name).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyError(name) from error


def own_key(path: Path, *, length: int) -> Secret:
    """The gateway's key in that file: `length` random bytes, made on the first start.

    The file is created for its owner alone (mode 0600) and never overwritten: losing a key would
    lose what it sealed, so a damaged file stops start-up.

    Raises:
        ConfigError: the file cannot be made or read, has another length, or others may read it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path, secrets.token_bytes(length))
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            value = file.read(length + 1)
    except OSError as error:
        raise _fault(path, f"cannot be read or made: {error.strerror}") from error
    if mode & _FOREIGN_BITS:
        raise _fault(path, "others may read it; run: chmod 600 on this file")
    if len(value) != length:
        raise _fault(path, f"holds another number of bytes than {length}; restore it")
    return Secret(value)


def _create(path: Path, value: bytes) -> None:
    """Write the file if there is none, wholly or not at all: a crash leaves no short key."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it fails where another start was quicker
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _fault(path: Path, text: str) -> ConfigError:
    return ConfigError(Fault(file=str(path), key="key file", text=text))
