# SPDX-License-Identifier: Apache-2.0
"""The containers of deploy/kubernetes under a kubelet (kubelet.py): started, probed, stopped,
killed, lost with their node, started again on the same volume."""
import signal
import subprocess
import threading
import time

import pytest
from broker import Broker
from kubelet import NAMESPACE, NODE, Kubelet, Pod
from manifests import (brokers, container_of, environment_of, flags_of, needs_kubectl, workers)
from pages import QUEUE, publish_pages
from processes import BUILD, wait_until

pytestmark = needs_kubectl

NOTICE_S = 15  # of GKE, before a Spot machine goes


@pytest.fixture
def broker_pod(volumes, tmp_path):
    broker, = brokers("broker")
    return Pod(broker, "ackd-0", volumes, tmp_path / "ackd-0.log")


def publish(pod: Pod, *ids: str) -> None:
    pod.call("TaskService/Publish", queue=QUEUE, tasks=[{"taskId": each} for each in ids])


def counts(pod: Pod) -> dict[str, int]:
    found = pod.call("QueueService/Get", name=QUEUE)["queue"].get("counts", {})
    return {name: int(number) for name, number in found.items()}


# The broker

def test_the_broker_runs_as_nobody_with_nothing_and_passes_every_probe(broker_pod):
    broker_pod.start()
    broker_pod.await_started()
    assert broker_pod.holds("livenessProbe")
    wait_until(lambda: broker_pod.holds("readinessProbe"), "it is ready")
    code, _ = broker_pod.end()
    assert code == 0


def test_ackctl_in_the_brokers_container_needs_no_flag_and_is_the_operators(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        ran = subprocess.run([BUILD / "cli/ackctl", "whoami"], env=broker_pod.variables(),
                             capture_output=True, text=True, timeout=60)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "admin:*" in ran.stdout


def test_a_deleted_broker_leaves_well_within_its_grace_and_answers_who_waits(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        broker_pod.call("QueueService/Create", name=QUEUE)
        replies = []
        waiting = threading.Thread(target=lambda: replies.append(
            broker_pod.call("TaskService/Lease", queue=QUEUE, waitMs="30000")))
        waiting.start()
        wait_until(lambda: int(broker_pod.call("AdminService/Stats").get("waiters", 0)) == 1
                   or not waiting.is_alive(), "a worker waits")
        code, took_s = kubelet.delete_pod()
        waiting.join()
        assert code == 0
        assert took_s < broker_pod.spec["terminationGracePeriodSeconds"] / 2
        assert "tasks" not in replies[0]


def test_a_killed_broker_comes_back_on_its_volume_with_all_it_had(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        broker_pod.call("QueueService/Create", name=QUEUE)
        publish(broker_pod, "a", "b", "c")
        lease = broker_pod.call("TaskService/Lease", queue=QUEUE, maxTasks=1)["tasks"][0]
        broker_pod.process.kill()
        wait_until(lambda: broker_pod.starts == 2 and kubelet.ready, "it was started again")
        assert (counts(broker_pod)["ready"], counts(broker_pod)["leased"]) == (2, 1)
        broker_pod.call("TaskService/Ack", items=[{"leaseToken": lease["leaseToken"]}])
        assert counts(broker_pod)["done"] == 1


def test_a_broker_that_hangs_is_found_by_its_liveness_probe_and_restarted(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        broker_pod.process.signal(signal.SIGSTOP)
        wait_until(lambda: not kubelet.ready, "it is not ready any more")
        wait_until(lambda: broker_pod.starts == 2 and kubelet.ready, "it was started again")
        assert kubelet.killed_for_liveness == 1


def test_a_busy_broker_is_not_killed_by_its_probes(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        broker_pod.call("QueueService/Create", name=QUEUE)
        for batch in range(20):
            publish(broker_pod, *(f"{batch}-{each}" for each in range(1000)))
        assert (broker_pod.starts, kubelet.killed_for_liveness) == (1, 0)


def test_a_node_that_is_lost_gives_its_volume_to_the_next_pod(broker_pod, volumes, tmp_path):
    broker, = brokers("broker")
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        broker_pod.call("QueueService/Create", name=QUEUE)
        publish(broker_pod, "a", "b")
        kubelet.lose_node()
    with Kubelet(Pod(broker, "ackd-0", volumes, tmp_path / "again.log")) as kubelet:
        kubelet.await_ready()
        assert counts(kubelet.pod)["ready"] == 2


def test_two_brokers_never_serve_one_volume(broker_pod, volumes, tmp_path):
    """ReadWriteOncePod forbids it; on one node, where that was lifted, the store's lock does."""
    broker, = brokers("broker")
    second = Pod(broker, "ackd-0", volumes, tmp_path / "second.log")
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        second.start()
        assert second.process.wait() != 0
        assert "is in use by process" in second.process.log_end()
        assert broker_pod.holds("readinessProbe")


def test_who_shows_no_token_gets_nothing_but_the_probes(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        (broker_pod.secrets / "token").rename(broker_pod.secrets / "kept")
        (broker_pod.secrets / "token").write_text("ackd_nobody_nothing")
        with pytest.raises(AssertionError, match="unauthenticated"):
            broker_pod.call("QueueService/List")
        assert broker_pod.holds("readinessProbe")


# Workers

@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        broker.call("QueueService/Create", name=QUEUE)
        yield broker


@pytest.fixture
def worker_pod(broker, volumes, tmp_path):
    """worker_pod("overlays/spot"): a pod of that root's workload."""
    pods = []

    def start(root: str, **environment: str) -> Pod:
        worker, = workers(root)
        name = f"ocr-{len(pods)}"
        pod = Pod(worker, name, volumes, tmp_path / f"{name}.log",
                  {flags_of(container_of(worker))["--url"]: broker.url}, environment)
        pod.start()
        pods.append(pod)
        return pod

    yield start
    for pod in pods:
        pod.process.kill()


def numbers(broker: Broker) -> dict[str, int]:
    queue = broker.call("QueueService/Get", name=QUEUE)["queue"]
    found = {**queue, **queue.get("counts", {})}
    return {name: int(found.get(name, 0)) for name in
            ("ready", "leased", "done", "dead", "preemptions", "losses", "failures")}


def await_session(broker: Broker) -> None:
    session, *_ = wait_until(lambda: broker.call("SessionService/List").get("sessions"),
                             "a worker's session")
    assert session["pod"] == session["worker"]
    assert (session["podNamespace"], session["node"]) == (NAMESPACE, NODE)


def verdict(worker: dict, code: int) -> str:
    """What the Job controller makes of a pod that ended so, without a disruption's condition."""
    if code == 0:
        return "Succeeded"
    for rule in worker["spec"]["podFailurePolicy"]["rules"]:
        exits = rule.get("onExitCodes", {"values": []})
        if code in exits["values"]:
            return rule["action"]
    return "Count"


JOBS = ("worker", "overlays/spot", "overlays/flex-start", "overlays/on-demand", "overlays/hybrid",
        "overlays/spot-checkpoints")


@pytest.mark.parametrize("root", JOBS)
def test_a_job_is_done_when_its_queue_is(broker, worker_pod, root):
    pod = worker_pod(root, **in_a_day(root))
    assert pod.process.wait() == 0, pod.process.log_end()


@pytest.mark.parametrize("root", JOBS)
def test_an_evicted_worker_leaves_within_the_notice_and_the_job_makes_another(
        broker, worker_pod, root):
    publish_pages(broker, 300)
    pod = worker_pod(root, **in_a_day(root))
    wait_until(lambda: numbers(broker)["done"] > 0, "a page is read")
    code, took_s = pod.end(NOTICE_S)
    assert took_s < NOTICE_S - 2
    worker, = workers(root)
    assert verdict(worker, code) == "Ignore", pod.process.log_end()
    now = numbers(broker)
    assert now["leased"] == now["losses"] == now["failures"] == 0
    assert now["ready"] + now["done"] == 300


def test_a_worker_on_a_node_that_is_lost_loses_no_task(broker, worker_pod):
    publish_pages(broker, 40)
    first = worker_pod("overlays/spot")
    wait_until(lambda: numbers(broker)["done"] > 0, "a page is read")
    first.process.kill()
    second = worker_pod("overlays/spot")
    # The lost worker's session is given up after 15 s; only then is the queue done.
    assert second.process.wait(60) == 0, second.process.log_end()
    now = numbers(broker)
    assert (now["done"], now["dead"], now["failures"]) == (40, 0, 0)


def test_a_worker_outlives_its_broker(broker, worker_pod):
    publish_pages(broker, 30)
    pod = worker_pod("overlays/spot")
    wait_until(lambda: numbers(broker)["done"] > 0, "a page is read")
    broker.kill()
    broker.start()
    assert pod.process.wait(60) == 0, pod.process.log_end()
    assert numbers(broker)["done"] == 30


def test_a_scaled_in_worker_drains_and_exits_with_0(broker, worker_pod):
    pod = worker_pod("overlays/autoscale")
    await_session(broker)
    code, took_s = pod.end()
    assert code == 0, pod.process.log_end()
    assert took_s < pod.spec["terminationGracePeriodSeconds"]
    assert not broker.call("SessionService/List").get("sessions")


def test_a_flex_start_worker_leaves_by_itself_before_its_machine_ends(broker, worker_pod):
    worker, = workers("overlays/flex-start")
    assert "ACKD_MACHINE_MAX_RUN_MS" in environment_of(container_of(worker))
    up_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
    grace_ms = int(flags_of(container_of(worker))["--grace-ms"])
    publish_pages(broker, 500)
    pod = worker_pod("overlays/flex-start", ACKD_MACHINE_MAX_RUN_MS=str(up_ms + grace_ms + 3000))
    assert verdict(worker, pod.process.wait()) == "Ignore", pod.process.log_end()
    now = numbers(broker)
    assert now["done"] > 0 and now["leased"] == 0
    assert now["ready"] + now["done"] == 500


def in_a_day(root: str) -> dict[str, str]:
    """A machine that was booted just now, unlike this one perhaps."""
    if root != "overlays/flex-start":
        return {}
    up_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
    return {"ACKD_MACHINE_MAX_RUN_MS": str(up_ms + 86400000)}
