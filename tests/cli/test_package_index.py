"""A service with a package index of its own installs from that index, and from nowhere else."""

import base64
import hashlib
import http.server
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT
from tests.cli.conftest import Prewired
from tests.cli.conftest import succeed

CLOSED = "http://127.0.0.1:9"


class Index(http.server.SimpleHTTPRequestHandler):
    """The simple repository API (PEP 503) is a folder for each project."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A local index with uv as it is locked, and a package that is nowhere else."""
    folder = tmp_path / "index"
    asked: list[str] = []
    handler = type("Handler", (Index,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/simple/", folder / "simple", asked
    server.shutdown()
    server.server_close()


def test_a_service_installs_from_its_own_index(
    tmp_path: Path, prewired: Prewired, index: tuple[str, Path, list[str]]
) -> None:
    url, folder, asked = index
    service = tmp_path / "orders"
    _uv(folder / "uv", service.parent / "python")
    lock = _package(folder / "acme-internal")

    done = prewired("new", service, "-d", f"package_index={url}")
    assert done.returncode == 0, done.stderr
    (service / "requirements/uv.txt").write_text((ROOT / "requirements/uv.txt").read_text())
    for file in (service / "requirements").glob("*.txt"):
        if file.name != "uv.txt":
            file.unlink()
    (service / "requirements/main.txt").write_text(lock)
    closed = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), CLOSED)
    succeed(
        "make",
        "setup",
        cwd=service,
        **closed,
        NO_PROXY="127.0.0.1",
        no_proxy="127.0.0.1",
        PIP_FIND_LINKS="",
        PIP_NO_CACHE_DIR="1",
        UV_NO_CACHE="1",
    )

    python = service / ".venv/bin/python"
    assert succeed(python, "-c", "import acme_internal; print('here')") == "here\n"
    assert any(path.startswith("/simple/uv/") for path in asked)
    assert any(path.startswith("/simple/acme-internal/") for path in asked)


def _uv(folder: Path, environment: Path) -> None:
    """Put uv's own wheel into the index."""
    folder.mkdir(parents=True)
    succeed(sys.executable, "-m", "venv", environment)
    lock = ROOT / "requirements/uv.txt"
    python = environment / "bin/python"
    download = ("-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "-r", lock)
    succeed(python, *download, "-d", folder)


def _package(folder: Path) -> str:
    """Put a package that is nowhere else into the index; return its lock."""
    folder.mkdir(parents=True)
    wheel = folder / "acme_internal-1.0-py3-none-any.whl"
    info = "acme_internal-1.0.dist-info"
    files = {
        "acme_internal.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme-internal\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"acme-internal==1.0 \\\n    --hash=sha256:{sha256}\n"


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
