# SPDX-License-Identifier: Apache-2.0
"""checker.py -- whether a history could have come from a broker that keeps its promises.

It knows nothing of how the broker works, only what was confirmed to whom and when:

  K1  A publish confirmed is stored once: from then on its ID is a duplicate, and at the end done.
  K2  After an ack was confirmed its task is never handed out again, and no other ack closes it.
  K3  No task has two live leases: a second one is given only after the first has ended, by its
      deadline, by its session, or because its holder gave it back.
  K4  Fences grow with each lease, and none comes twice.
  K5  A lease outlives kills: until it ends as in K3, its holder is not refused.
  K6  Nothing succeeds by a lease after a newer one, but an ack that is salvaged.
  K7  At the end the counters equal the history, and the broker's own check finds nothing.

An UNKNOWN outcome is a maybe: it excuses whatever it could have caused, and demands nothing.
"""
from collections import defaultdict
from dataclasses import dataclass, field

from history import (DUPLICATE, OK, REFUSED, REPEATED, SALVAGED, UNKNOWN, Beat, History, Lease,
                     Publish, Settle)

# What the two clocks, the client's and the broker's view of the same one, may differ by.
SLACK_MS = 5


@dataclass
class Ledger:
    """All that the history has about one task."""
    publishes: list[Publish] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)

    def of(self, verb: str, *outcomes: str) -> list[Settle]:
        return [each for each in self.settles if each.verb == verb and each.outcome in outcomes]

    def by(self, lease: Lease) -> list[Settle]:
        return [each for each in self.settles if each.fence == lease.fence]

    @property
    def is_confirmed(self) -> bool:
        return any(each.outcome in (OK, DUPLICATE) for each in self.publishes)


@dataclass
class End:
    """What the broker said when all was drained."""
    counts: dict[str, int]
    deliveries: int
    problems: int
    states: dict[str, str]  # of the tasks whose publish, or whose ack, was never confirmed


class Checker:
    def __init__(self, history: History):
        self._history = history
        self.ledgers: dict[str, Ledger] = defaultdict(Ledger)
        for publish in history.publishes:
            self.ledgers[publish.task_id].publishes.append(publish)
        for lease in history.leases:
            self.ledgers[lease.task_id].leases.append(lease)
        for settle in history.settles:
            self.ledgers[settle.task_id].settles.append(settle)
        self.wrong = list(history.wrong)

    def check(self, end: End | None = None) -> list[str]:
        """Sentences about what is wrong; none: nothing."""
        for task_id, ledger in self.ledgers.items():
            ledger.publishes.sort(key=lambda publish: publish.span.began)
            ledger.leases.sort(key=lambda lease: lease.fence)
            for rule in (self._published, self._done, self._leased, self._held, self._superseded):
                self.wrong += [f"{task_id}: {sentence}" for sentence in rule(ledger)]
        if end:
            self.wrong += self._ended(end)
        return self.wrong

    def unsure(self) -> list[str]:
        """The tasks of which only the broker can tell whether they exist, or are done."""
        return [task_id for task_id, ledger in self.ledgers.items()
                if not ledger.is_confirmed or not ledger.of("ack", OK, REPEATED, SALVAGED)]

    @staticmethod
    def _published(ledger: Ledger):  # K1
        is_confirmed = may_exist = False
        for publish in ledger.publishes:
            if publish.outcome == OK and is_confirmed:
                yield "K1: was stored, was confirmed, and was stored again"
            if publish.outcome == DUPLICATE and not may_exist:
                yield "K1: is a duplicate of nothing"
            is_confirmed |= publish.outcome in (OK, DUPLICATE)
            may_exist |= publish.outcome != REFUSED
        if ledger.leases and not may_exist:
            yield "K1: was handed out, and never published"

    @staticmethod
    def _done(ledger: Ledger):  # K2
        closing = ledger.of("ack", OK, SALVAGED)
        if len(closing) > 1:
            yield f"K2: was closed by {len(closing)} acks"
        for ack in ledger.of("ack", REPEATED):
            if not any(is_before(each, ack) and each.fence == ack.fence and each is not ack
                       for each in ledger.of("ack", OK, SALVAGED, UNKNOWN)):
                yield f"K2: the first ack by fence {ack.fence} is called a repeated one"
        for ack in closing + ledger.of("ack", REPEATED):
            for lease in ledger.leases:
                if (later_ms := lease.span.began - ack.span.ended) > 0:
                    yield (f"K2: was acked by fence {ack.fence}, and {later_ms:.0f} ms later "
                           f"handed out with fence {lease.fence}")

    def _leased(self, ledger: Ledger):  # K3, K4
        for lease, newer in zip(ledger.leases, ledger.leases[1:]):
            if lease.fence == newer.fence:
                yield f"K4: fence {lease.fence} was given twice"
            elif newer.span.ended < lease.span.began:
                yield f"K4: fence {newer.fence} was given before {lease.fence}"
            elif (newer.span.ended < self._lives_until(ledger, lease) - SLACK_MS
                  and not self._was_given_back(ledger, lease, newer.span.ended)):
                yield f"K3: has live leases with the fences {lease.fence} and {newer.fence}"

    def _held(self, ledger: Ledger):  # K5
        refused = [each for each in ledger.settles if each.outcome == REFUSED]
        for lease in ledger.leases if refused else ():
            for settle in ledger.by(lease):
                if (settle.outcome == REFUSED
                        and settle.span.ended < self._lives_until(ledger, lease, settle) - SLACK_MS
                        and not self._was_given_back(ledger, lease, settle.span.ended)
                        and not was_closed(ledger, settle)):
                    yield f"K5: its {settle.verb} by the live fence {lease.fence} was refused"

    @staticmethod
    def _superseded(ledger: Ledger):  # K6
        succeeded = [each for each in ledger.settles if each.outcome == OK]
        for lease in ledger.leases[1:]:
            for settle in succeeded:
                if settle.fence < lease.fence and (settle.verb == "ack"
                                                   or settle.span.began > lease.span.ended):
                    yield (f"K6: its {settle.verb} by fence {settle.fence} succeeded though there "
                           f"was {lease.fence}")

    def _ended(self, end: End):  # K7, and what K1 says of the end
        existing = 0
        for task_id, ledger in self.ledgers.items():
            state = end.states.get(task_id, "done")
            existing += state != "none"
            if state == "none" and ledger.is_confirmed:
                yield f"{task_id}: K1: was confirmed, and is lost"
            elif state not in ("none", "done"):
                yield f"{task_id}: K1: is {state} at the end"
            elif state == "done" and not ledger.of("ack", OK, REPEATED, SALVAGED, UNKNOWN):
                yield f"{task_id}: K2: is done, and nobody acked it"
        expected = {"published": existing, "done": existing}
        for name in ("ready", "delayed", "leased", "dead", "purged", "published", "done"):
            if end.counts.get(name, 0) != expected.get(name, 0):
                yield (f"K7: {end.counts.get(name, 0)} are counted as {name}, not "
                       f"{expected.get(name, 0)}")
        if end.deliveries < len(self._history.leases):
            yield f"K7: {end.deliveries} deliveries of {len(self._history.leases)} are counted"
        if end.problems:
            yield f"K7: the broker's check finds {end.problems} problems"

    def _lives_until(self, ledger: Ledger, lease: Lease, seen_by: Settle | None = None) -> float:
        """At least; `seen_by`: by what had been confirmed when that call began."""
        def counts(span) -> bool:
            return seen_by is None or span.ended <= seen_by.span.began
        if lease.session:
            return max((beat.span.began + beat.session_ms
                        for beat in self._beats_of(lease) if counts(beat.span)), default=0)
        return max([lease.deadline_ms] + [
            each.deadline_ms for each in ledger.by(lease)
            if each.verb == "renew" and each.outcome == OK and counts(each.span)])

    def _beats_of(self, lease: Lease) -> list[Beat]:
        return self._history.beats.get(lease.session, [])

    def _was_given_back(self, ledger: Ledger, lease: Lease, until: float) -> bool:
        """Or may have been."""
        close = self._history.closes.get(lease.session)
        return (close is not None and close.began < until) or any(
            each.verb == "nack" and each.outcome in (OK, UNKNOWN) and each.span.began < until
            for each in ledger.by(lease))


def is_before(one: Settle, other: Settle) -> bool:
    return one.span.began < other.span.began


def was_closed(ledger: Ledger, refused: Settle) -> bool:
    """Whether an ack may have closed the task before the call was refused."""
    return any(ack.span.began < refused.span.ended
               for ack in ledger.of("ack", OK, REPEATED, SALVAGED, UNKNOWN))
