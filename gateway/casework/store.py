"""Where the gateway's own records are kept.

Each method is one transaction. Whoever comes second changes nothing and is told so: a request is
decided once, a notice acknowledged once, a countersignature used once, whichever replica asks.
"""

from __future__ import annotations

from gateway.casework.auditing import Auditing
from gateway.casework.counting import Counting
from gateway.casework.notices import Notices
from gateway.casework.owing import Owing
from gateway.casework.releases import Releases
from gateway.casework.reviews import Reviews
from gateway.casework.sessions import PageSessions


class Store(Releases, Notices, Owing, Counting, PageSessions, Reviews, Auditing):
    """All of them, over one pool of connections."""
