"""Reading a `[connection]` table strictly: every wrong or unknown key is told by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connectors.spi import NO_SECRET, Secrets


class Table:
    """One table of a mapping file, taken apart key by key.

    What is wrong is kept, with the key's full name and what it should hold, and something of the
    right type is given instead, so that the rest is read too. `done` must be called last, that of
    the outermost table last of all: it raises ValueError with a line for each of them, those keys
    among them that nobody asked for.
    """

    def __init__(
        self,
        config: object,
        secrets: Secrets,
        path: str = "connection",
        within: Table | None = None,
    ) -> None:
        self._faults: list[str] = within._faults if within else []
        self._outermost = within is None
        self._read = isinstance(config, Mapping)
        if not self._read and (within is None or within._read):
            self._faults.append(f"{path}: should be a table")
        self._config: Mapping[str, object] = config if isinstance(config, Mapping) else {}
        self._secrets = secrets
        self._path = path
        self._seen: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._config

    def names(self) -> tuple[str, ...]:
        """The keys as written, all of them counted as known."""
        self._seen.update(self._config)
        return tuple(self._config)

    def done(self) -> None:
        """Refuse what was not asked for.

        Raises:
            ValueError: of the outermost table, with all that is wrong, a line each.
        """
        known = ", ".join(sorted(self._seen))
        for key in sorted(set(self._config) - self._seen):
            self._faults.append(f"{self._path}.{key}: unknown key; known are {known}")
        if self._outermost and self._faults:
            raise ValueError("\n".join(self._faults))

    def wrong(self, key: str, should: str) -> None:
        """Tell what a key should hold, unless something was told of it already."""
        self._tell(key, f"should be {should}")

    def _tell(self, key: str, text: str) -> None:
        told = (f"{self._path}.{key}:", f"{self._path}.{key}_secret:")
        # Of a table that is none that is all there is to say.
        if self._read and not any(fault.startswith(told) for fault in self._faults):
            self._faults.append(f"{self._path}.{key}: {text}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text; with no default the key is required."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if isinstance(value, str):
            return value
        self.wrong(key, "a text")
        return default or ""

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """One of the choices."""
        value, choices = self.text(key, default), tuple(choices)
        if value in choices:
            return value
        self.wrong(key, f"one of {', '.join(choices)}")
        return choices[0]

    def whole(self, key: str, default: int | None, *, least: int = 1, most: int = 10**9) -> int:
        """A whole number within bounds."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.wrong(key, f"a whole number from {least} to {most}")
        return least

    def number(self, key: str, default: float, *, most: float = 1e9) -> float:
        """A number above zero."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
            return float(value)
        self.wrong(key, f"a number above 0, at most {most:g}")
        return default

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, "true or false")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; absent is empty."""
        self._seen.add(key)
        value = self._config.get(key, [])
        if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return tuple(value)
        self.wrong(key, "a list of texts")
        return ()

    def lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts; absent is empty."""
        self._seen.add(key)
        value = self._config.get(key, [])
        if isinstance(value, list | tuple) and all(
            isinstance(v, list | tuple) and all(isinstance(w, str) for w in v) for v in value
        ):
            return tuple(tuple(v) for v in value)
        self.wrong(key, "a list of lists of texts")
        return ()

    def table(self, key: str) -> Table:
        """A table within this one."""
        self._seen.add(key)
        return Table(self._config.get(key), self._secrets, f"{self._path}.{key}", self)

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables; absent is empty."""
        self._seen.add(key)
        value = self._config.get(key, [])
        if not isinstance(value, list | tuple):
            self.wrong(key, "a list of tables")
            return ()
        return tuple(
            Table(entry, self._secrets, f"{self._path}.{key}[{at}]", self)
            for at, entry in enumerate(value)
        )

    def secret(self, key: str) -> str:
        """The secret that the key names; what is said never holds the secret."""
        name = self.text(key)
        try:
            return self._secrets.get(name)
        except KeyError:
            self._tell(key, f"{NO_SECRET} named {name!r}")
            return ""

    def plain_or_secret(self, key: str) -> str:
        """The value of `key`, or the secret named by `<key>_secret`; exactly one of them."""
        plain, secret = key in self, f"{key}_secret" in self
        if plain == secret:
            self._seen |= {key, f"{key}_secret"}
            self._tell(key, f"needs either {key} or {key}_secret")
            return ""
        self._seen.add(f"{key}_secret" if plain else key)
        return self.text(key) if plain else self.secret(f"{key}_secret")
