"""Pages of a list: how long they are, and tokens for where they ended (AIP-158)."""

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from uuid import UUID

from acme_orders.platform.domain import InvalidField

DEFAULT = 20
MOST = 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FORM = "must be the next_page_token of the page before"


def size(asked: int | None) -> int:
    """Return how many to show.

    Raises:
        InvalidField: it is not 1 to `MOST`.
    """
    if asked is None:
        return DEFAULT
    if not 1 <= asked <= MOST:
        raise InvalidField("page_size", f"must be 1 to {MOST}")
    return asked


def encode(at: datetime, id: UUID) -> str:
    """Return the token of the position behind the thing with this time and id."""
    return f"{(at - EPOCH) // MICROSECOND:014x}{id.hex}"


def decode(token: str) -> tuple[datetime, UUID]:
    """Return the time and the id that a token was made of.

    Raises:
        InvalidField: it is none of ours.
    """
    try:
        at, id = EPOCH + int(token[:14], 16) * MICROSECOND, UUID(token[14:])
    except (ValueError, OverflowError):
        raise InvalidField("page_token", FORM) from None
    if encode(at, id) != token:
        raise InvalidField("page_token", FORM)
    return at, id
