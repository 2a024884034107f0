"""Make a folder appear whole or not at all."""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from types import FrameType

from prewired.failures import DestinationRefused
from prewired.failures import reason

STAGING = ".prewired-"


class Terminated(BaseException):
    """A signal asked the process to end."""


def check(destination: Path, forbidden: Path) -> Path:
    """Refuse a destination that cannot become a new service; return its absolute path."""
    if destination.is_symlink():
        raise DestinationRefused(f"{destination} is a symbolic link; name the folder it points to")
    try:
        target = destination.resolve()
        exists = target.exists()
        content = (
            [] if not target.is_dir() else [item for item in target.iterdir() if not _left(item)]
        )
    except OSError as error:
        raise DestinationRefused(f"cannot use {destination}: {reason(error)}") from None
    if target.is_relative_to(forbidden.resolve()):
        raise DestinationRefused(f"{destination} is inside the template; choose a folder elsewhere")
    if exists and not target.is_dir():
        raise DestinationRefused(f"{destination} is a file; name a folder that does not exist yet")
    if content:
        raise DestinationRefused(f"{destination} exists and is not empty; nothing was changed")
    above = _ancestor(target)
    if not above.is_dir():
        raise DestinationRefused(f"{destination} would be under {above}, which is a file")
    if not os.access(above, os.W_OK | os.X_OK):
        raise DestinationRefused(f"{destination} cannot be made: {above} is not writable")
    return target


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Give a hidden folder beside the target; it takes the target's place when the block ends well.

    A process that is killed leaves at worst this folder, which the next run for the target removes.
    """
    above = _ancestor(target)
    prefix = f"{STAGING}{target.name}-"
    _sweep(above, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=above))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it however we end
        inner = folder / target.name
        inner.mkdir()
        yield inner
        _place(inner, target)
    finally:
        with uninterrupted():
            os.close(lock)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold signals back for a moment that must not be cut."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_on_signals() -> None:
    """Turn termination into an exception, so that what was begun is cleaned up."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


def _place(folder: Path, target: Path) -> None:
    with uninterrupted():
        if target.is_dir():
            _fill(folder, target)
            return
        made = [above for above in target.parents if not above.exists()]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
        except OSError:
            for above in made:
                with suppress(OSError):
                    above.rmdir()
            raise


def _fill(folder: Path, target: Path) -> None:
    """Move into an empty folder that may be a mount or somebody's working directory."""
    moved: list[Path] = []
    try:
        for item in sorted(folder.iterdir()):
            if (target / item.name).exists():
                raise DestinationRefused(f"{target} is no longer empty; nothing was changed")
            item.rename(target / item.name)
            moved.append(target / item.name)
    except BaseException:
        for item in moved:
            item.rename(folder / item.name)
        raise


def _ancestor(target: Path) -> Path:
    """Find the folder to stage in: on the target's own file system."""
    if target.is_dir():
        return target
    return next(above for above in target.parents if above.exists())


def _left(item: Path) -> bool:
    return item.name.startswith(STAGING)


def _sweep(above: Path, prefix: str) -> None:
    """Remove what a killed run for the same target left, and nothing that a live one holds."""
    for folder in above.glob(f"{prefix}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
