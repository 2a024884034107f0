"""What a caller's token permits."""

from acme_orders.platform.auth.tokens import ScopeMissing
from acme_orders.platform.domain import Caller


def require(caller: Caller, scope: str) -> None:
    """Let the caller pass if its token has the scope.

    Raises:
        ScopeMissing: it has not.
    """
    if scope not in caller.scopes:
        raise ScopeMissing(scope)
