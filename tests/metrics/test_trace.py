# SPDX-License-Identifier: Apache-2.0
"""A publisher's trace goes with its tasks to the workers, and into the log."""
import base64
import json
import os
import subprocess

import pytest
from processes import BUILD
from raw_http import RawClient

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
MALFORMED = ["", "00", TRACEPARENT + "-", TRACEPARENT.upper(), "ff" + TRACEPARENT[2:],
             TRACEPARENT.replace(TRACE_ID, "0" * 32)]


@pytest.fixture
def queue(broker, request) -> str:
    name = f"q{abs(hash(request.node.name)) % 10**9}"
    broker.call("QueueService/Create", name=name)
    return name


def publish(raw, queue: str, tasks: list[dict], *headers: str) -> dict:
    reply = raw.call("/ackd.v1.TaskService/Publish",
                     json.dumps({"queue": queue, "tasks": tasks}).encode(), *headers)
    assert reply.status == 200
    return reply.json()


def traces(broker, queue: str) -> list[str | None]:
    """Of the tasks as a worker gets them, in order."""
    tasks = broker.call("TaskService/Lease", queue=queue, maxTasks=1000)["tasks"]
    return [task.get("attributes", {}).get("traceparent") for task in tasks]


def test_the_header_is_the_tasks_attribute_and_comes_with_the_lease(broker, raw, queue):
    tasks = [{}, {"attributes": {"a": "1"}, "payload": "eA=="}]
    assert publish(raw, queue, tasks, f"Traceparent: {TRACEPARENT}")["stored"] == 2
    first, second = broker.call("TaskService/Lease", queue=queue, maxTasks=2)["tasks"]
    assert first["attributes"] == {"traceparent": TRACEPARENT}
    assert second["attributes"] == {"a": "1", "traceparent": TRACEPARENT}
    assert second["payload"] == "eA=="


def test_it_goes_along_with_every_delivery_and_over_a_restart(broker_with):
    broker = broker_with()
    broker.call("QueueService/Create", name="q")
    with RawClient(broker.port) as raw:
        publish(raw, "q", [{}], f"traceparent: {TRACEPARENT}")
    [task] = broker.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
    broker.call("TaskService/Nack", items=[
        {"leaseToken": task["leaseToken"], "reason": "NACK_REASON_RELEASED"}])
    broker.kill()
    broker.start()
    assert traces(broker, "q") == [TRACEPARENT]


def test_a_task_that_says_its_trace_keeps_it(broker, raw, queue):
    publish(raw, queue, [{"attributes": {"traceparent": OTHER}}, {},
                         {"attributes": {"traceparent": "of my own making"}}],
            f"traceparent: {TRACEPARENT}")
    assert traces(broker, queue) == [OTHER, TRACEPARENT, "of my own making"]


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_header_counts_as_none(broker, raw, queue, malformed):
    assert publish(raw, queue, [{}], f"traceparent: {malformed}")["stored"] == 1
    assert traces(broker, queue) == [None]


def test_without_a_header_there_is_no_attribute(broker, raw, queue):
    publish(raw, queue, [{}])
    assert traces(broker, queue) == [None]


def test_a_task_with_as_many_attributes_as_it_may_have_goes_without(broker, raw, queue):
    full = {f"key-{number}": "" for number in range(64)}
    nearly = {f"key-{number}": "" for number in range(63)}
    assert publish(raw, queue, [{"attributes": full}, {"attributes": nearly}],
                   f"traceparent: {TRACEPARENT}")["stored"] == 2
    assert traces(broker, queue) == [None, TRACEPARENT]


def test_what_the_broker_logs_of_a_request_names_its_trace(broker_with):
    broker = broker_with("--log-level", "debug", "--log-format", "json")
    with RawClient(broker.port) as raw:
        raw.call("/ackd.v1.QueueService/List", b"{}", f"traceparent: {TRACEPARENT}")
        raw.call("/ackd.v1.QueueService/List", b"{}")
        raw.call("/ackd.v1.QueueService/Get", b'{"name":"none"}',
                 f"traceparent: {OTHER}")
        raw.call("/ackd.v1.QueueService/Get", b'{"name":"none"}',
                 "traceparent: broken")
    assert broker.stop() == 0
    lines = [json.loads(line) for line in (broker.directory / "ackd.log").read_text().splitlines()]
    told = [(line["method"], line["code"], line["trace_id"])
            for line in lines if line["event"] == "request_done"]
    assert told == [("/ackd.v1.QueueService/List", "OK", TRACE_ID),
                    ("/ackd.v1.QueueService/Get", "QUEUE_NOT_FOUND", OTHER.split("-")[1])]


def ackctl(broker, *arguments: str, text: str = "", **environment: str):
    clean = {name: value for name, value in os.environ.items() if name != "TRACEPARENT"}
    return subprocess.run([BUILD / "cli/ackctl", "--url", broker.url, *arguments], input=text,
                          env=clean | environment, capture_output=True, text=True, check=False)


def test_ackctl_publishes_in_the_trace_that_it_is_told(broker, queue):
    done = ackctl(broker, "publish", queue, "-", "--traceparent", TRACEPARENT, text="{}\n{}\n",
                  TRACEPARENT=OTHER)
    assert done.returncode == 0, done.stderr
    assert traces(broker, queue) == [TRACEPARENT] * 2


def test_ackctl_publishes_in_the_trace_that_it_runs_in(broker, queue):
    text = '{"n":1}\n{"n":2,"traceparent":"%s"}\n' % TRACEPARENT
    done = ackctl(broker, "publish", queue, "-", "--attr", "traceparent", text=text,
                  TRACEPARENT=OTHER)
    assert done.returncode == 0, done.stderr
    assert traces(broker, queue) == [OTHER, TRACEPARENT]


def test_ackctl_refuses_a_trace_that_is_none_but_not_one_that_it_only_inherits(broker, queue):
    done = ackctl(broker, "publish", queue, "-", "--traceparent", "00-1-2-3", text="{}\n")
    assert done.returncode == 2 and "--traceparent" in done.stderr
    done = ackctl(broker, "publish", queue, "-", text="{}\n", TRACEPARENT="nonsense")
    assert done.returncode == 0, done.stderr
    assert traces(broker, queue) == [None]


def test_a_program_under_ackctl_work_runs_in_the_trace_of_its_task(broker, raw, queue):
    publish(raw, queue, [{"taskId": "traced"}], f"traceparent: {TRACEPARENT}")
    publish(raw, queue, [{"taskId": "plain"},
                         {"taskId": "broken", "attributes": {"traceparent": "x"}}])
    done = ackctl(broker, "work", queue, "--until-empty", "--", "sh", "-c",
                  'printf %s "${TRACEPARENT-none}"', TRACEPARENT=OTHER)
    assert done.returncode == 0, done.stderr
    results = broker.call("ResultService/List", queue=queue)["results"]
    assert {each["taskId"]: each["data"] for each in results} == {
        "traced": base64_of(TRACEPARENT), "plain": base64_of("none"), "broken": base64_of("none")}


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
