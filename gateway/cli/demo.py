"""`portcullis demo`: put in its place below."""

from gateway.cli.common import Commands


def register(commands: Commands) -> None:
    return None
