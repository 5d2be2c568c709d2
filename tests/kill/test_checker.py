# SPDX-License-Identifier: Apache-2.0
"""The checker sees each promise broken, and is silent where an unknown outcome may be the reason.

Histories are written by hand: times are small numbers of ms, spans are (began, ended).
"""
import math

from checker import Checker, End
from history import (DUPLICATE, OK, REFUSED, REPEATED, SALVAGED, UNKNOWN, Beat, History, Lease,
                     Publish, Settle, Span)

DEADLINE = 1000
NO_ANSWER = math.inf


def publish(outcome=OK, began=0, ended=1) -> Publish:
    return Publish(Span(began, ended), "t", outcome)


def lease(fence=1, began=10, ended=20, deadline=DEADLINE, session="") -> Lease:
    return Lease(Span(began, ended), "t", fence, 0 if session else deadline, session)


def settle(verb, outcome=OK, fence=1, began=30, ended=40, deadline=0) -> Settle:
    return Settle(Span(began, ended), verb, "t", fence, outcome, deadline)


def wrong(*events, beats=(), close=None, end=None) -> list[str]:
    """The rules that are broken."""
    history = History([each for each in events if isinstance(each, Publish)],
                      [each for each in events if isinstance(each, Lease)],
                      [each for each in events if isinstance(each, Settle)])
    history.beats["s"] += [Beat(Span(*span), DEADLINE) for span in beats]
    if close:
        history.closes["s"] = Span(*close)
    return [next(word for word in sentence.split() if word.startswith("K"))[:2]
            for sentence in Checker(history).check(end)]


def ended(published=1, done=1, problems=0, states=None, **counts) -> End:
    return End({"published": published, "done": done} | counts, 9, problems, states or {})


def test_a_life_without_trouble_breaks_nothing():
    assert wrong(publish(), lease(), settle("renew", deadline=2000),
                 settle("ack", began=50, ended=60), end=ended()) == []


def test_K1_a_confirmed_task_is_stored_only_once():
    assert wrong(publish(), publish(began=2, ended=3)) == ["K1"]
    assert wrong(publish(), publish(DUPLICATE, 2, 3)) == []
    assert wrong(publish(UNKNOWN, 0, NO_ANSWER), publish(began=2, ended=3)) == []
    assert wrong(publish(UNKNOWN, 0, NO_ANSWER), publish(DUPLICATE, 2, 3)) == []
    assert wrong(publish(DUPLICATE)) == ["K1"]


def test_K1_a_confirmed_task_is_not_lost():
    gone = ended(published=0, done=0, states={"t": "none"})
    assert wrong(publish(), end=gone) == ["K1"]
    assert wrong(publish(UNKNOWN, 0, NO_ANSWER), end=gone) == []
    assert wrong(publish(), lease(), end=ended(done=0, dead=1, states={"t": "dead"})) == [
        "K1", "K7", "K7"]


def test_K1_what_is_handed_out_was_published():
    assert wrong(lease()) == ["K1"]


def test_K2_nothing_acked_comes_back():
    before, after = (publish(), lease(deadline=25)), lease(2, 50, 60)
    maybe = settle("ack", UNKNOWN, ended=NO_ANSWER)
    assert wrong(*before, settle("ack"), after) == ["K2", "K6"]
    assert wrong(*before, settle("ack", REPEATED), after) == ["K2", "K2"]
    assert wrong(*before, maybe, after) == []
    assert wrong(*before, maybe, settle("ack", REPEATED, began=41, ended=45), after) == ["K2"]


def test_K2_a_task_is_closed_once():
    assert wrong(publish(), lease(), settle("ack"), settle("ack", began=50, ended=60)) == ["K2"]


def test_K2_nobody_closes_a_task_but_by_an_ack():
    assert wrong(publish(), lease(), end=ended(states={"t": "done"})) == ["K2"]


def test_K3_a_second_lease_waits_for_the_end_of_the_first():
    early, late = lease(2, 500, 510, 2000), lease(2, 990, 1000, 2000)
    assert wrong(publish(), lease(), early) == ["K3"]
    assert wrong(publish(), lease(), late) == []
    assert wrong(publish(), lease(), settle("renew", deadline=1100), late) == ["K3"]
    assert wrong(publish(), lease(), settle("nack"), early) == []
    assert wrong(publish(), lease(), settle("nack", UNKNOWN, ended=NO_ANSWER), early) == []
    assert wrong(publish(), lease(), settle("nack", REFUSED, began=500, ended=520), early) == [
        "K3", "K5"]


def test_K3_a_session_keeps_its_leases():
    first = lease(session="s")
    assert wrong(publish(), first, lease(2, 500, 510), beats=[(5, 8)]) == ["K3"]
    assert wrong(publish(), first, lease(2, 1000, 1010), beats=[(5, 8)]) == []
    assert wrong(publish(), first, lease(2, 1000, 1010), beats=[(5, 8), (600, 610)]) == ["K3"]
    assert wrong(publish(), first, lease(2, 500, 510), beats=[(5, 8)], close=(400, NO_ANSWER)) == []


def test_K4_fences_grow():
    assert wrong(publish(), lease(), lease(began=2000, ended=2010)) == ["K4"]
    assert wrong(publish(), lease(2, 2000, 2010), lease(1, 3000, 3010)) == ["K4"]


def test_K5_a_live_lease_is_not_refused():
    assert wrong(publish(), lease(), settle("ack", REFUSED)) == ["K5"]
    assert wrong(publish(), lease(deadline=35), settle("ack", REFUSED)) == []
    assert wrong(publish(), lease(), settle("ack", UNKNOWN, ended=NO_ANSWER),
                 settle("renew", REFUSED, began=50, ended=60)) == []


def test_K6_an_old_lease_changes_nothing_but_by_a_salvaged_ack():
    newer = lease(2, 1000, 1010, 3000)
    assert wrong(publish(), lease(), newer, settle("nack", began=1020, ended=1030)) == ["K6"]
    assert wrong(publish(), lease(), newer, settle("ack", began=1020, ended=1030)) == ["K6"]
    assert wrong(publish(), lease(), newer, settle("ack", SALVAGED, began=1020, ended=1030)) == []


def test_K7_the_counters_equal_the_history():
    life = publish(), lease(), settle("ack")
    assert wrong(*life, end=ended(done=2)) == ["K7"]
    assert wrong(*life, end=ended(leased=1)) == ["K7"]
    assert wrong(*life, end=ended(problems=1)) == ["K7"]
