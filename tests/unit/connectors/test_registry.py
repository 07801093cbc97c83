"""Connector names and configuration tables."""

from __future__ import annotations

from typing import Any

import pytest

from connectors._config import Table
from connectors.registry import connector_class, known_connectors
from connectors.rest import RestConnector
from connectors.sql import SqlConnector
from connectors.upstream import UpstreamConnector
from connectors.vector import VectorConnector


class Vault:
    def get(self, name: str) -> str:
        return {"URL": "sqlite:////nowhere/canary.db"}[name]


def test_ours_come_through_the_same_door() -> None:
    found = {name: connector_class(name) for name in ("sql", "rest", "upstream", "vector")}
    assert list(found.values()) == [
        SqlConnector, RestConnector, UpstreamConnector, VectorConnector,
    ]  # fmt: skip
    assert set(found) <= set(known_connectors())


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown connector 'sqll'; known are .*rest.*sql"):
        connector_class("sqll")


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({}, "needs either url or url_secret"),
        ({"url": "sqlite:////x", "url_secret": "URL"}, "needs either"),
        ({"url_secret": "GONE"}, r"connection\.url_secret: there is no secret named 'GONE'"),
        ({"url": 5}, r"connection\.url: should be a text"),
        ({"url": "nonsense"}, r"connection\.url: should be a SQLAlchemy URL"),
        ({"url": "oracle://host/db"}, r"connection\.url: should be a postgresql"),
        ({"url": "sqlite://"}, r"connection\.url: should be a postgresql"),
        ({"url_secret": "URL", "pool_size": 0}, r"connection\.pool_size: should be a whole"),
        ({"url_secret": "URL", "pool_size": True}, r"connection\.pool_size"),
        ({"url_secret": "URL", "statement_timeout_s": -1}, r"connection\.statement_timeout_s"),
        ({"url_secret": "URL", "pool": 1}, r"connection\.pool: unknown key; known are .*pool_size"),
    ],
)
def test_a_wrong_key_is_named(config: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        SqlConnector.from_config(config, Vault())
    assert "canary" not in str(caught.value)


def test_a_nested_key_is_named_in_full() -> None:
    config = {"base_url": "http://127.0.0.1:1", "relations": {"people": {"path": "/p", "patj": 1}}}
    with pytest.raises(ValueError, match=r"connection\.relations\.people\.patj: unknown key"):
        RestConnector.from_config(config, Vault())
    config["relations"] = {"people": {"path": "/p/{ref}"}}
    with pytest.raises(ValueError, match=r"connection\.relations\.people\.path"):
        RestConnector.from_config(config, Vault())
    config["relations"] = {"people": {"path": "/p", "params": [{"column": "a", "op": "like"}]}}
    with pytest.raises(ValueError, match=r"people\.params\[0\]\.op: should be one of eq"):
        RestConnector.from_config(config, Vault())


def test_an_upstream_field_is_a_graphql_name() -> None:
    config = {"url": "http://127.0.0.1:1", "relations": {"p": {"field": "p { x }"}}}
    with pytest.raises(ValueError, match=r"connection\.relations\.p\.field: .*GraphQL name"):
        UpstreamConnector.from_config(config, Vault())


def test_tables_are_tables() -> None:
    table = Table({"a": 1, "b": [1], "c": ["x"], "d": "x"}, Vault())
    with pytest.raises(ValueError, match=r"connection\.a: should be a table"):
        table.table("a")
    with pytest.raises(ValueError, match=r"connection\.b\[0\]: should be a table"):
        table.tables("b")
    with pytest.raises(ValueError, match=r"connection\.a: should be a list of tables"):
        table.tables("a")
    with pytest.raises(ValueError, match=r"connection\.b: should be a list of texts"):
        table.texts("b")
    with pytest.raises(ValueError, match=r"connection\.d: should be true or false"):
        table.flag("d", default=False)
    assert table.texts("c") == ("x",)
    table.done()
