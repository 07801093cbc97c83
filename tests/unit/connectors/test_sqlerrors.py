"""Whose fault an error of a driver is, where the driver gives no code."""

import asyncpg
import pytest

from connectors._sqlerrors import source_error
from connectors.spi import SourceError, SourceProtocolError, SourceTimeout, SourceUnavailable
from gateway.audit.postgresql.database import BROKEN, DIED

_ENDING = "cannot switch to state 12; another operation (2) is in progress"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (asyncpg.InternalClientError(_ENDING), SourceUnavailable),
        (asyncpg.InterfaceError("the underlying connection is closed"), SourceUnavailable),
        (ConnectionResetError(), SourceUnavailable),
        (EOFError(), SourceUnavailable),
        (TimeoutError(), SourceTimeout),
        (ValueError("an 8-bit name that nobody should read"), SourceProtocolError),
    ],
)
def test_f05_an_error_without_a_code(raised: Exception, kind: type[SourceError]) -> None:
    told = source_error(raised)
    assert type(told) is kind
    assert str(told) == f"the database failed: {type(raised).__name__}"


def test_f05_the_log_too_takes_a_session_that_ends_for_one_that_died() -> None:
    """asyncpg raises it of a session that ends just as a statement is sent."""
    assert issubclass(asyncpg.InternalClientError, BROKEN)
    assert issubclass(asyncpg.InternalClientError, DIED)
