"""Bringing the tables to this version, by Alembic, over a connection that is open already."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.casework:migrations")
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection) -> None:
    """Run what has not been run yet, all of it or nothing."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """The version that the tables have; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The version that this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()
