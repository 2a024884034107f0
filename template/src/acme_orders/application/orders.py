"""What the service can do with orders. Every transport calls this, and nothing else."""

import asyncio
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from uuid import UUID
from uuid import uuid4

from acme_orders.application.ports import OrderView
from acme_orders.application.ports import PaymentProvider
from acme_orders.application.ports import Position
from acme_orders.application.ports import ProviderUnavailable
from acme_orders.application.ports import Storage
from acme_orders.application.ports import Work
from acme_orders.domain.orders import CancelReason
from acme_orders.domain.orders import Line
from acme_orders.domain.orders import Order
from acme_orders.domain.orders import Status
from acme_orders.domain.payments import Answer
from acme_orders.domain.payments import Payment
from acme_orders.domain.payments import PaymentDeclined
from acme_orders.domain.payments import PaymentKind
from acme_orders.domain.payments import PaymentState
from acme_orders.domain.payments import wait_before_attempt
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import Kind
from acme_orders.platform.domain import TenantId

MANAGER = "orders-manager"
SETTLE_TRIES = 5
"""How often an answer is written again when somebody changes the order at the same moment."""


class CancelNotPermitted(Failure):
    """Cancelling a paid order above the limit takes the role `orders-manager`."""

    kind = Kind.FORBIDDEN


@dataclass(frozen=True, slots=True)
class Rules:
    """What the business may change without a release."""

    cancel_limit: int
    """Up to this amount, in minor units, anyone who may write may cancel a paid order."""
    call_deadline: timedelta
    """How long the payment provider may take to answer, in all."""


def _now() -> datetime:
    return datetime.now(UTC)


def _ignore(event: str, payment: Payment) -> None:
    pass


@dataclass(frozen=True, slots=True)
class OrderService:
    storage: Storage
    provider: PaymentProvider
    rules: Rules
    now: Callable[[], datetime] = field(default=_now)
    new_id: Callable[[], UUID] = field(default=uuid4)
    notice: Callable[[str, Payment], None] = field(default=_ignore)
    """Told what operators must know: `payment.unexpected`, `payment.refund_refused`, …"""

    async def place(
        self,
        caller: Caller,
        customer_id: UUID,
        currency: str,
        lines: Sequence[Line],
    ) -> OrderView:
        order = Order.place(self.new_id(), customer_id, currency, tuple(lines), self.now())
        async with self.storage.work(caller.tenant) as work:
            await work.orders.save(order)
        return OrderView.of(order)

    async def get(self, caller: Caller, id: UUID) -> OrderView:
        return await self.storage.views(caller.tenant).get(id)

    async def page(
        self,
        caller: Caller,
        limit: int,
        after: Position | None = None,
    ) -> Sequence[OrderView]:
        return await self.storage.views(caller.tenant).page(limit, after)

    async def pay(self, caller: Caller, id: UUID, version: int | None = None) -> OrderView:
        """Charge the order's total; it is `payment_pending` while the provider owes an answer.

        Raises:
            PaymentDeclined: the provider declined; the order is `placed` again.
        """
        payment_id = self.new_id()
        async with self.storage.work(caller.tenant) as work:
            order = await work.orders.get(id)
            order.expect(version)
            if order.pay(payment_id, self.now()) != payment_id:
                return OrderView.of(order)
            payment = self._payment(payment_id, PaymentKind.CHARGE, order, caller.tenant)
            await work.orders.save(order)
            await work.payments.add(payment)
        answer = await self.ask(payment)
        if answer is Answer.DECLINED:
            raise PaymentDeclined("the payment provider declined the payment")
        return OrderView.of(order) if answer is None else await self.get(caller, id)

    async def ship(
        self,
        caller: Caller,
        id: UUID,
        tracking: str,
        version: int | None = None,
    ) -> OrderView:
        async with self.storage.work(caller.tenant) as work:
            order = await work.orders.get(id)
            order.expect(version)
            order.ship(tracking, self.now())
            await work.orders.save(order)
        return OrderView.of(order)

    async def cancel(
        self,
        caller: Caller,
        id: UUID,
        reason: CancelReason,
        version: int | None = None,
    ) -> OrderView:
        """Cancel; a paid order is `refund_pending` while the provider owes the refund's answer."""
        refund_id = self.new_id()
        async with self.storage.work(caller.tenant) as work:
            order = await work.orders.get(id)
            order.expect(version)
            self._permit_cancel(caller, order)
            if order.cancel(reason, refund_id, self.now()) == refund_id:
                refund = self._payment(
                    refund_id,
                    PaymentKind.REFUND,
                    order,
                    caller.tenant,
                    charge_id=order.payment_id,
                )
                await work.payments.add(refund)
            else:
                refund = None
            await work.orders.save(order)
        if refund is None or await self.ask(refund) is None:
            return OrderView.of(order)
        return await self.get(caller, id)

    async def ask(self, payment: Payment) -> Answer | None:
        """Ask the provider, outside any transaction, and write down what it says.

        Returns its answer, or None where it gave none in time or it could not be written down: the
        payment stays pending, and the worker asks again.
        """
        try:
            async with asyncio.timeout(self.rules.call_deadline.total_seconds()):
                answer = await self.provider.ask(payment)
        except (ProviderUnavailable, TimeoutError):
            self.notice("payment.unanswered", payment)
            return None
        try:
            await self.settle(payment.tenant, payment.id, answer)
        except Failure:
            # The money may have moved: a caller who was told of a failure would pay once more.
            self.notice("payment.unsettled", payment)
            return None
        return answer

    async def settle(self, tenant: TenantId, payment_id: UUID, answer: Answer) -> None:
        """Write down what the provider said of a payment. Saying it again changes nothing."""
        for attempt in range(SETTLE_TRIES):
            try:
                async with self.storage.work(tenant) as work:
                    await self._settle(work, payment_id, answer)
            except ConcurrentChange:
                if attempt == SETTLE_TRIES - 1:
                    raise
            else:
                return

    async def _settle(self, work: Work, payment_id: UUID, answer: Answer) -> None:
        payment = await work.payments.get(payment_id)
        order = await work.orders.get(payment.order_id)
        match payment.kind, answer:
            case PaymentKind.CHARGE, Answer.PAID if payment.state is not PaymentState.PAID:
                payment.state = PaymentState.PAID
                if not order.charged(payment_id, self.now()):
                    await self._give_back(work, payment, order)
            case PaymentKind.CHARGE, Answer.DECLINED if payment.state is PaymentState.PENDING:
                payment.state = PaymentState.DECLINED
                order.declined(payment_id, self.now())
            case PaymentKind.REFUND, Answer.REFUNDED if payment.state is PaymentState.PENDING:
                payment.state = PaymentState.REFUNDED
                order.refunded(payment_id, self.now())
            case PaymentKind.REFUND, Answer.REFUSED if payment.state is PaymentState.PENDING:
                self.notice("payment.refund_refused", payment)
                return
            case _:
                return
        await work.payments.save(payment)
        await work.orders.save(order)

    async def _give_back(self, work: Work, payment: Payment, order: Order) -> None:
        """Open a refund: this money came when nothing waited for it."""
        self.notice("payment.unexpected", payment)
        refund = self._payment(
            self.new_id(),
            PaymentKind.REFUND,
            order,
            payment.tenant,
            charge_id=payment.id,
        )
        await work.payments.add(replace(refund, money=payment.money))

    def _payment(
        self,
        id: UUID,
        kind: PaymentKind,
        order: Order,
        tenant: TenantId,
        charge_id: UUID | None = None,
    ) -> Payment:
        now = self.now()
        return Payment(
            id=id,
            tenant=tenant,
            order_id=order.id,
            kind=kind,
            money=order.total,
            requested_at=now,
            next_attempt_at=now + wait_before_attempt(0, self.rules.call_deadline),
            charge_id=charge_id,
        )

    def _permit_cancel(self, caller: Caller, order: Order) -> None:
        above = order.total.amount > self.rules.cancel_limit
        if order.status is Status.PAID and above and MANAGER not in caller.roles:
            raise CancelNotPermitted(
                f"cancelling a paid order above {self.rules.cancel_limit} takes the role {MANAGER}",
            )
