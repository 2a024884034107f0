"""What a gRPC server is told by its environment."""

from datetime import timedelta
from typing import Annotated
from typing import Final

from pydantic import ByteSize
from pydantic import Field
from pydantic_settings import BaseSettings

from acme_orders.platform.settings import Seconds

MIB: Final = ByteSize(1024 * 1024)


class GrpcSettings(BaseSettings):
    grpc_host: str = "0.0.0.0"  # noqa: S104 - a container's only address is not known before it runs
    grpc_port: Annotated[int, Field(ge=0, le=65535)] = 50051
    grpc_max_message_size: Annotated[ByteSize, Field(gt=0)] = MIB
    """Of a request, and of an answer."""
    grpc_max_concurrent_calls: Annotated[int, Field(gt=0)] = 1000
    """Calls at once, of all connections; more are refused with RESOURCE_EXHAUSTED."""
    grpc_keepalive: Annotated[Seconds, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    """How long a connection may be silent before the server asks whether anyone is there."""
    grpc_min_ping_interval: Annotated[Seconds, Field(gt=timedelta(0))] = timedelta(seconds=10)
    """A client that pings more often than this is sent away (GOAWAY, `too_many_pings`)."""
    grpc_max_connection_age: Annotated[Seconds, Field(gt=timedelta(0))] = timedelta(minutes=30)
    """After this a client connects anew, so that calls spread over replicas that came later."""
