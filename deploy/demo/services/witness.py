"""One of the demonstration's witnesses, as a process of its own that ends with its starter.

    python -m deploy.demo.services.witness --name w1.example --state DIR --log LOG.pub

It is the project's own witness, reached on loopback.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.demo.services.ready import arguments, listener, serve
from gateway.audit.memory import Memory
from gateway.audit.witness import Witness, application, lines_of


def main() -> int:
    parser = arguments(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--name", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--log", action="append", required=True)
    given = parser.parse_args()
    witness = Witness(given.name, Memory(given.state), lines_of(given.log))
    serve(application(witness), listener(given.port), given.parent_pid)
    return 0


if __name__ == "__main__":
    sys.exit(main())
