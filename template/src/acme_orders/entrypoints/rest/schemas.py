"""What the REST API reads and writes of orders."""

from datetime import datetime
from typing import Annotated
from typing import Any
from typing import Self
from uuid import UUID

from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field

from acme_orders.application.ports import OrderView
from acme_orders.domain import orders

ORDER_ID = "0b7f8f9e-5e0c-4d2a-9a53-2f0f1f6f5a10"
CUSTOMER_ID = "5b0c0a52-8f1e-4a53-9d6a-0c9f6a1a7e11"
LINE = {"sku": "tea-100", "quantity": 2, "unit_price": 450}


def _whole(value: Any) -> Any:
    # To JSON, and to its schemas, 2.0 is the integer 2. To strict pydantic it is not, but without
    # `strict` it would also take "2" and true.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)


class Strict(BaseModel):
    """A body with a field that nobody knows is a mistake, and is answered as one."""

    model_config = ConfigDict(extra="forbid")


class Line(Strict):
    """Some pieces of one article."""

    sku: Annotated[
        str,
        Field(pattern=f"^{orders.SKU}$", description="The article.", examples=["tea-100"]),
    ]
    quantity: Annotated[
        int,
        Field(strict=True, ge=1, le=orders.MAX_QUANTITY, description="Pieces.", examples=[2]),
        Whole,
    ]
    unit_price: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=orders.MAX_UNIT_PRICE,
            description="Of one piece, in the currency's minor unit (cents).",
            examples=[450],
        ),
        Whole,
    ]


class PlaceOrder(Strict):
    """An order to be placed."""

    customer_id: Annotated[UUID, Field(description="Who buys.", examples=[CUSTOMER_ID])]
    currency: Annotated[
        str,
        Field(
            pattern=f"^{orders.CURRENCY}$",
            description="Of all prices, a code of ISO 4217.",
            examples=["EUR"],
        ),
    ]
    lines: Annotated[
        list[Line],
        Field(
            min_length=1,
            max_length=orders.MAX_LINES,
            description="What is bought.",
            examples=[[LINE]],
        ),
    ]

    def to_lines(self) -> list[orders.Line]:
        return [orders.Line(line.sku, line.quantity, line.unit_price) for line in self.lines]


class ShipOrder(Strict):
    """An order that is on its way."""

    tracking: Annotated[
        str,
        Field(
            pattern=f"^{orders.TRACKING}$",
            description="The parcel's number at the carrier.",
            examples=["JD014600003RU"],
        ),
    ]


class CancelOrder(Strict):
    """An order that is no longer wanted, or cannot be delivered."""

    reason: Annotated[
        orders.CancelReason,
        Field(description="Why.", examples=[orders.CancelReason.CUSTOMER_REQUEST]),
    ]


class Money(BaseModel):
    """An amount in the currency's minor unit."""

    amount: Annotated[int, Field(description="In minor units (cents).", examples=[900])]
    currency: Annotated[str, Field(description="A code of ISO 4217.", examples=["EUR"])]


class Order(BaseModel):
    """An order as it is now."""

    id: Annotated[UUID, Field(description="Names the order.", examples=[ORDER_ID])]
    version: Annotated[
        int,
        Field(description="Counts the changes; the `ETag` holds it, too.", examples=[1]),
    ]
    status: Annotated[
        orders.Status,
        Field(description="Where the order is on its way.", examples=[orders.Status.PLACED]),
    ]
    customer_id: Annotated[UUID, Field(description="Who buys.", examples=[CUSTOMER_ID])]
    lines: Annotated[list[Line], Field(description="What is bought.", examples=[[LINE]])]
    total: Annotated[Money, Field(description="What the order costs.")]
    placed_at: Annotated[
        datetime,
        Field(description="When it was placed.", examples=["2026-01-31T12:00:00Z"]),
    ]
    tracking: Annotated[
        str | None,
        Field(description="The parcel's number, once shipped.", examples=["JD014600003RU"]),
    ]
    cancel_reason: Annotated[
        orders.CancelReason | None,
        Field(description="Why it was, or is being, cancelled."),
    ]

    @classmethod
    def of(cls, view: OrderView) -> Self:
        """Show an order, unchecked: checks are for what callers send."""
        return cls.model_construct(
            id=view.id,
            version=view.version,
            status=view.status,
            customer_id=view.customer_id,
            lines=[
                Line.model_construct(
                    sku=line.sku,
                    quantity=line.quantity,
                    unit_price=line.unit_price,
                )
                for line in view.lines
            ],
            total=Money.model_construct(amount=view.total.amount, currency=view.total.currency),
            placed_at=view.placed_at,
            tracking=view.tracking,
            cancel_reason=view.cancel_reason,
        )


class OrderPage(BaseModel):
    """Some orders, the newest first."""

    orders: Annotated[list[Order], Field(description="The orders of this page.")]
    next_cursor: Annotated[
        str | None,
        Field(description="Leads to the next page; null after the last.", examples=[None]),
    ]


ETAG: dict[str, Any] = {
    "ETag": {"description": "The order's version.", "schema": {"type": "string"}},
}
"""The headers of an answer that shows an order."""
