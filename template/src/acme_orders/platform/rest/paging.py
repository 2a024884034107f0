"""Cursors: where a page ended, as text that clients hand back unread."""

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from uuid import UUID

CURSOR = r"^[0-9a-f]{46}$"
"""Every text of this form is a position, so a cursor that has it needs no further check."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def encode(at: datetime, id: UUID) -> str:
    """Return the cursor of the position behind the thing with this time and id."""
    return f"{(at - EPOCH) // MICROSECOND:014x}{id.hex}"


def decode(cursor: str) -> tuple[datetime, UUID]:
    """Return the time and the id that a cursor of the form `CURSOR` was made of."""
    return EPOCH + int(cursor[:14], 16) * MICROSECOND, UUID(cursor[14:])
