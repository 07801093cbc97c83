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


def test_all_that_is_wrong_with_a_table_is_told_together() -> None:
    """A key once, however it was read; of what is no table nothing but that."""
    table = Table(
        {"a": 1, "b": [1], "c": ["x"], "d": "x", "e": {"n": 0, "more": 1}, "f": 1, "g": "N"},
        Vault(),
    )
    assert table.table("a").text("below") == ""
    assert len(table.tables("b")) == 1
    assert table.tables("d") == ()
    assert table.texts("f") == ()
    assert table.flag("f", default=False) is False
    inner = table.table("e")
    assert inner.whole("n", 5) == 1
    inner.done()
    assert table.texts("c") == ("x",)
    assert table.plain_or_secret("h") == ""
    assert table.secret("g") == ""
    with pytest.raises(ValueError, match="connection") as caught:
        table.done()
    assert [line.partition(": ")[::2] for line in str(caught.value).splitlines()] == [
        ("connection.a", "should be a table"),
        ("connection.b[0]", "should be a table"),
        ("connection.d", "should be a list of tables"),
        ("connection.f", "should be a list of texts"),
        ("connection.e.n", "should be a whole number from 1 to 1000000000"),
        ("connection.e.more", "unknown key; known are n"),
        ("connection.h", "needs either h or h_secret"),
        ("connection.g", "there is no secret named 'N'"),
    ]


def test_a_wrong_address_is_told_with_all_the_rest() -> None:
    config = {"base_url": "ftp://x", "page_size": 0, "relations": {"p": {"path": "p", "patj": 1}}}
    with pytest.raises(ValueError, match="connection") as caught:
        RestConnector.from_config(config, Vault())
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "connection.base_url",
        "connection.page_size",
        "connection.relations.p.path",
        "connection.relations.p.patj",
    ]
