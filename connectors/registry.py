"""Connector names and their classes: the one door for ours and for an agency's own."""

from __future__ import annotations

from importlib.metadata import entry_points

from connectors.spi import Connector

GROUP = "gateway.connectors"


def known_connectors() -> tuple[str, ...]:
    """The names that installed packages declare in the entry point group, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def connector_class(name: str) -> type[Connector]:
    """The class that answers to a connector's name; its package is imported only now.

    Raises:
        ValueError: no installed package declares the name, two do, or what it declares cannot be
            imported; the text lists the known names.
    """
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise ValueError(
            f"unknown connector {name!r}; known are {', '.join(known_connectors()) or 'none'}"
        )
    if len({point.value for point in found}) > 1:
        declared = ", ".join(sorted(point.value for point in found))
        raise ValueError(f"connector {name!r} is declared more than once: {declared}")
    try:
        loaded = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"connector {name!r} cannot be loaded from {found[0].value}") from error
    if not (isinstance(loaded, type) and hasattr(loaded, "from_config")):
        raise ValueError(f"connector {name!r}: {found[0].value} is not a connector class")
    return loaded
