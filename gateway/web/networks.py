"""Who may read a page that is not for everybody: callers of some networks, others find nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import Request


class Networks:
    """Networks by their addresses, as the settings name them."""

    def __init__(self, networks: Sequence[str]) -> None:
        """`networks` in the form `10.0.0.0/8`.

        Raises:
            ValueError: one is none.
        """
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def hold(self, request: Request) -> bool:
        """Whether the request comes from one of them, by the socket's own address."""
        try:
            address = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)
