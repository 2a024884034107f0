"""What domain code is made of: aggregates that only events change, failures, and who calls."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from typing import Generic
from typing import NewType
from typing import Self
from typing import TypeVar
from uuid import UUID

E = TypeVar("E")

TenantId = NewType("TenantId", str)
"""A tenant's name: matches `[a-z0-9-]{1,63}`, so that it may stand in SQL text.

Only `tenant_id` makes one.
"""

TENANT = re.compile(r"[a-z0-9-]{1,63}")


class Kind(StrEnum):
    """How a failure is answered. Each transport maps the kinds to its own codes, in one table."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    """The state of the thing does not allow it: asking again changes nothing."""
    STALE = "stale"
    """The caller named a version, and the thing has moved on."""
    CONCURRENT = "concurrent"
    """Somebody else changed the thing at the same moment: asking again may work."""
    UNAVAILABLE = "unavailable"


class Failure(Exception):
    """Something that went wrong, and callers are told about. Subclass it once for each way.

    The message is for the caller: it holds no secret and no personal data.
    """

    kind: ClassVar[Kind] = Kind.INVALID

    @classmethod
    def code(cls) -> str:
        """Return the stable name that clients may switch on: `NotThere` is `not-there`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


class InvalidField(Failure):
    """A field has a value that it may not have."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class InvalidTenant(Failure):
    """The tenant's name has other characters than a-z, 0-9 and `-`, or is longer than 63."""


class ConcurrentChange(Failure):
    """Somebody else changed it at the same moment. Read it again, then decide again."""

    kind = Kind.CONCURRENT


class StaleVersion(Failure):
    """It has changed since the version that you named. Read it again, then decide again."""

    kind = Kind.STALE


def tenant_id(text: str) -> TenantId:
    """Return the text as a tenant's name.

    Raises:
        InvalidTenant: the text is not of the form `[a-z0-9-]{1,63}`.
    """
    if not TENANT.fullmatch(text):
        raise InvalidTenant("a tenant is 1 to 63 characters of a-z, 0-9 and -")
    return TenantId(text)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as a verified access token says."""

    subject: str
    tenant: TenantId
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


class Aggregate(Generic[E]):
    """State that only events change, so that it can be stored as a row or as a history.

    `version` counts the events, so the first one makes version 1.
    """

    def __init__(self, id: UUID) -> None:
        self.id = id
        self.version = 0
        self._new_events: list[E] = []

    @classmethod
    def replay(cls, id: UUID, history: Iterable[E]) -> Self:
        """Return the aggregate as its history left it."""
        aggregate = cls(id)
        for event in history:
            aggregate._advance(event)
        return aggregate

    def expect(self, version: int | None) -> None:
        """Hold a caller to the version it has read; None expects nothing.

        Raises:
            StaleVersion: the aggregate has another version.
        """
        if version is not None and version != self.version:
            raise StaleVersion(f"expected version {version}, but it has version {self.version}")

    def take_new_events(self) -> list[E]:
        """Return what has been recorded since the last call; whoever takes it stores it."""
        events, self._new_events = self._new_events, []
        return events

    def _record(self, event: E) -> None:
        self._advance(event)
        self._new_events.append(event)

    def _advance(self, event: E) -> None:
        self._apply(event)
        self.version += 1

    def _apply(self, event: E) -> None:
        raise NotImplementedError
