# SPDX-License-Identifier: Apache-2.0
"""calls.py -- calls to a broker in protobuf, each able to be sent again, and what came of them.

A call is its bytes, and what to enter into the history for a reply or for none. The same call may
be entered several times: a client that got no answer asks again with the same bytes.
"""
import base64
from collections.abc import Callable
from dataclasses import dataclass

from clients import QUEUE, payload_of
from history import (DUPLICATE, OK, REFUSED, REPEATED, SALVAGED, UNKNOWN, History, Lease, Publish,
                     Settle, Span, now_ms)
from messages import fields_of, message
from raw_http import RawClient, Reply, request

STATUS_LEASE_LOST, STATUS_DUPLICATE = 9, 11
STOCK_LEASE_MS = 60_000
SHORT_LEASE_MS = 1000  # of those that may get lost with their reply
STOCK = 100


@dataclass(frozen=True)
class Held:
    lease: Lease
    token: str


@dataclass(frozen=True)
class Call:
    data: bytes  # with its HTTP head
    enter: Callable[[Span, Reply | None], None]  # None: no answer
    overheard: Callable[[Span, Reply], None] = lambda span, reply: None  # said, and heard by nobody


class Caller:
    """Makes calls of every kind, and keeps the book of what they came to."""

    def __init__(self, port: int):
        self.history = History()
        self._wire = RawClient(port)
        self._next = 0
        self._stock: list[Held] = []
        self._session = self._ask("SessionService/Open", (1, QUEUE), (3, 600_000))[1][0].decode()
        self.acked = ""  # a task that has a result

    # What is called.

    def publish(self) -> Call:
        task_ids = [self._new_id(), self._new_id()]
        return self._publish_of(task_ids)

    def lease(self) -> Call:
        """Acks two, with results, and takes one."""
        acked = [self._take_held(), self._take_held()]
        body = message((1, QUEUE), (2, 1), (4, SHORT_LEASE_MS), *[(6, ack(each)) for each in acked])

        def enter(span: Span, reply: Reply | None) -> None:
            fields = read(reply)
            self._enter_acks(span, acked, fields and fields[2])
            if fields:
                self._stock += self._enter_leases(span, fields[1])

        return Call(post("TaskService/Lease", body), enter,
                    lambda span, reply: self._enter_leases(span, read(reply)[1]) and None)

    def ack(self) -> Call:
        acked = [self._take_held()]
        body = message(*[(1, ack(each)) for each in acked])
        return Call(post("TaskService/Ack", body), lambda span, reply: self._enter_acks(
            span, acked, reply and read(reply)[1]))

    def heartbeat(self) -> Call:
        def enter(_: Span, reply: Reply | None) -> None:
            assert reply is None or read(reply)[1], "a heartbeat without the session's length"

        return Call(post("SessionService/Heartbeat", message((1, self._session))), enter)

    def read_task(self) -> Call:
        return self._read_of("TaskService/Get", lambda task: task[2] == [4])  # done

    def read_result(self) -> Call:
        return self._read_of("ResultService/Get", lambda result: result[2] == [result_of(
            self.acked)])

    # Without faults.

    def settle_all(self) -> int:
        """Leases and acks all that is ready; how many that was."""
        settled = 0
        while True:
            held = self._stock + self._lease_some()
            self._stock = []
            if not held:
                return settled
            span, fields = self._timed("TaskService/Ack", *[(1, ack(each)) for each in held])
            self._enter_acks(span, held, fields[1])
            settled += len(held)

    def _read_of(self, method: str, is_right: Callable[[dict], bool]) -> Call:
        def enter(_: Span, reply: Reply | None) -> None:
            assert reply is None or is_right(fields_of(read(reply)[1][0])), reply

        return Call(post(method, message((1, QUEUE), (2, self.acked))), enter)

    def _publish_of(self, task_ids: list[str]) -> Call:
        tasks = [message((1, each), (2, payload_bytes(each))) for each in task_ids]
        body = message((1, QUEUE), *[(2, each) for each in tasks])

        def enter(span: Span, reply: Reply | None) -> None:
            outcomes = read(reply) and read(reply)[1]
            if outcomes:
                assert [fields_of(each)[2] for each in outcomes] == [[each.encode()] for each in
                                                                     task_ids], outcomes
            self.history.publishes += [
                Publish(span, task_id, outcome_of(outcomes[at]) if outcomes else UNKNOWN)
                for at, task_id in enumerate(task_ids)]

        return Call(post("TaskService/Publish", body), enter)

    def _new_id(self) -> str:
        self._next += 1
        return f"task-{self._next:08}"

    def _take_held(self) -> Held:
        if not self._stock:
            self._restock()
        return self._stock.pop()

    def _restock(self) -> None:
        call = self._publish_of([self._new_id() for _ in range(STOCK)])
        began = now_ms()
        self._wire.send(call.data)
        reply = self._wire.reply()
        call.enter(Span.since(began), reply)
        self._stock = self._lease_some()
        assert self._stock

    def _lease_some(self) -> list[Held]:
        span, fields = self._timed("TaskService/Lease", (1, QUEUE), (2, STOCK),
                                   (4, STOCK_LEASE_MS))
        return self._enter_leases(span, fields[1])

    def _enter_leases(self, span: Span, tasks: list[bytes]) -> list[Held]:
        held = []
        for task in map(fields_of, tasks):
            task_id = task[1][0].decode()
            assert task[2] == [payload_bytes(task_id)], f"{task_id} has another's payload"
            lease = Lease(span, task_id, task[7][0], task[8][0])
            self.history.leases.append(lease)
            held.append(Held(lease, task[6][0].decode()))
        return held

    def _enter_acks(self, span: Span, acked: list[Held], outcomes: list[bytes] | None) -> None:
        assert not outcomes or len(outcomes) == len(acked), "not each ack has its outcome"
        for at, held in enumerate(acked):
            outcome = ack_outcome_of(outcomes[at]) if outcomes else UNKNOWN
            if outcome in (OK, REPEATED, SALVAGED):
                self.acked = held.lease.task_id
            self.history.settles.append(Settle(span, "ack", held.lease.task_id, held.lease.fence,
                                               outcome))

    def _timed(self, method: str, *fields: tuple) -> tuple[Span, dict]:
        began = now_ms()
        reply = self._ask(method, *fields)
        return Span.since(began), reply

    def _ask(self, method: str, *fields: tuple) -> dict:
        self._wire.send(post(method, message(*fields)))
        return read(self._wire.reply())


def post(method: str, body: bytes) -> bytes:
    return request(f"/ackd.v1.{method}", body, "Content-Type: application/proto")


def read(reply: Reply | None) -> dict | None:
    assert reply is None or reply.status == 200, reply
    return fields_of(reply.body) if reply else None


def payload_bytes(task_id: str) -> bytes:
    return base64.b64decode(payload_of(task_id))


def ack(held: Held) -> bytes:
    return message((1, held.token), (2, result_of(held.lease.task_id)))


def result_of(task_id: str) -> bytes:
    return f"result of {task_id}".encode()


def outcome_of(outcome: bytes) -> str:
    """Of a PublishOutcome."""
    error = fields_of(outcome).get(3)
    assert not error or fields_of(error[0])[1] == [STATUS_DUPLICATE], outcome
    return DUPLICATE if error else OK


def ack_outcome_of(outcome: bytes) -> str:
    fields = fields_of(outcome)
    if 1 in fields:
        assert fields_of(fields[1][0])[1] == [STATUS_LEASE_LOST], outcome
        return REFUSED
    return SALVAGED if 2 in fields else REPEATED if 3 in fields else OK
