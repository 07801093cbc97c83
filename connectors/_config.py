"""Reading a `[connection]` table strictly: a wrong or unknown key is an error that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connectors.spi import Secrets


class Table:
    """One table of a mapping file, taken apart key by key.

    Every method raises ValueError with the key's full name and what it should hold. `done` must
    be called last: it refuses the keys that nobody asked for.
    """

    def __init__(self, config: object, secrets: Secrets, path: str = "connection") -> None:
        if not isinstance(config, Mapping):
            raise ValueError(f"{path}: should be a table")
        self._config: Mapping[str, object] = config
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
        """Refuse what was not asked for."""
        unknown = sorted(set(self._config) - self._seen)
        if unknown:
            known = ", ".join(sorted(self._seen))
            raise ValueError(f"{self._path}.{unknown[0]}: unknown key; known are {known}")

    def wrong(self, key: str, should: str) -> ValueError:
        """The error for a key whose value is not what it should be."""
        return ValueError(f"{self._path}.{key}: should be {should}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text; with no default the key is required."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """One of the choices."""
        value = self.text(key, default)
        if value not in tuple(choices):
            raise self.wrong(key, f"one of {', '.join(choices)}")
        return value

    def whole(self, key: str, default: int | None, *, least: int = 1, most: int = 10**9) -> int:
        """A whole number within bounds."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str, default: float, *, most: float = 1e9) -> float:
        """A number above zero."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise self.wrong(key, f"a number above 0, at most {most:g}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        self._seen.add(key)
        value = self._config.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; absent is empty."""
        self._seen.add(key)
        value = self._config.get(key, [])
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts; absent is empty."""
        self._seen.add(key)
        value = self._config.get(key, [])
        if not isinstance(value, list | tuple) or not all(
            isinstance(v, list | tuple) and all(isinstance(w, str) for w in v) for v in value
        ):
            raise self.wrong(key, "a list of lists of texts")
        return tuple(tuple(v) for v in value)

    def table(self, key: str) -> Table:
        """A table within this one."""
        self._seen.add(key)
        return Table(self._config.get(key), self._secrets, f"{self._path}.{key}")

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables; absent is empty."""
        self._seen.add(key)
        value = self._config.get(key, [])
        if not isinstance(value, list | tuple):
            raise self.wrong(key, "a list of tables")
        return tuple(
            Table(entry, self._secrets, f"{self._path}.{key}[{at}]")
            for at, entry in enumerate(value)
        )

    def secret(self, key: str) -> str:
        """The secret that the key names; the error never holds the secret."""
        name = self.text(key)
        try:
            return self._secrets.get(name)
        except KeyError:
            raise ValueError(f"{self._path}.{key}: there is no secret named {name!r}") from None

    def plain_or_secret(self, key: str) -> str:
        """The value of `key`, or the secret named by `<key>_secret`; exactly one of them."""
        plain, secret = key in self, f"{key}_secret" in self
        if plain == secret:
            self._seen |= {key, f"{key}_secret"}
            raise ValueError(f"{self._path}: needs either {key} or {key}_secret")
        self._seen.add(f"{key}_secret" if plain else key)
        return self.text(key) if plain else self.secret(f"{key}_secret")
