"""F-29, F-30: a disk that fails under PostgreSQL. All of the faults: `make crash`."""

from __future__ import annotations

import pytest

from tests.contract.auditplaces import Database
from tests.crash.injected import Fault, demand_strace
from tests.crash.servers import suffered

FAULTS = [
    Fault(kind="EIO", call="fdatasync", at=1),
    Fault(kind="EIO", call="fdatasync", at=4),
    Fault(kind="ENOSPC", call="fdatasync", at=2),
    Fault(kind="ENOSPC", call="pwrite64", at=1),
    Fault(kind="EIO", call="pwrite64", at=3),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault).replace(" ", "-"))
async def test_F_30_a_disk_that_fails_under_the_database_costs_no_acknowledged_record(
    audit_database: Database, fault: Fault
) -> None:
    """The server stops in panic and recovers; the log goes on by itself."""
    demand_strace()
    became = await suffered(audit_database, fault)
    assert became.problems == []
    assert became.happened
    assert became.refused
