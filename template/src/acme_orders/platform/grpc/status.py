"""Failures as gRPC tells them: a status code from one table, with `google.rpc` details."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from google.rpc import status_pb2

from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import Kind

DOMAIN: Final = "acme-orders"
"""Whose reasons these are: `ErrorInfo.domain`."""

# STALE is ABORTED, not FAILED_PRECONDITION: in gRPC's guide to status codes, a failed test-and-set
# is the example of ABORTED. `ErrorInfo.reason` tells apart the two that share the code.
CODES: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.STALE: grpc.StatusCode.ABORTED,
    Kind.CONCURRENT: grpc.StatusCode.ABORTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
RETRY_AFTER: Final[Mapping[Kind, Duration]] = {
    Kind.CONCURRENT: Duration(nanos=100_000_000),
    Kind.UNAVAILABLE: Duration(seconds=1),
}


def reason(code: str) -> str:
    """Return `order-not-found` as `ORDER_NOT_FOUND`: the form that `ErrorInfo.reason` must have."""
    return code.replace("-", "_").upper()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a caller is told: a code, a message, and details that programs can read."""

    code: grpc.StatusCode
    message: str
    details: tuple[Message, ...]

    def metadata(self) -> tuple[tuple[str, bytes]]:
        """Return the details as gRPC sends them, behind the answer."""
        packed = []
        for detail in self.details:
            packed.append(Packed())
            packed[-1].Pack(detail)
        number, _ = self.code.value
        status = status_pb2.Status(code=number, message=self.message, details=packed)
        return (("grpc-status-details-bin", status.SerializeToString()),)


def refusal(failure: Failure) -> Refusal:
    """Return what a caller is told of a failure."""
    name = reason(failure.code())
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=name, domain=DOMAIN)]
    if isinstance(failure, InvalidField):
        invalid = error_details_pb2.BadRequest()
        invalid.field_violations.add(field=failure.field, description=failure.reason)
        details.append(invalid)
    if failure.kind in {Kind.REFUSED, Kind.STALE}:
        unmet = error_details_pb2.PreconditionFailure()
        unmet.violations.add(type=name, description=str(failure))
        details.append(unmet)
    if wait := RETRY_AFTER.get(failure.kind):
        details.append(error_details_pb2.RetryInfo(retry_delay=wait))
    return Refusal(CODES[failure.kind], str(failure), tuple(details))


def internal_error() -> Refusal:
    """Return what a caller is told of a mistake of ours: nothing but that it was one."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL_ERROR", domain=DOMAIN)
    return Refusal(grpc.StatusCode.INTERNAL, "internal error", (info,))
