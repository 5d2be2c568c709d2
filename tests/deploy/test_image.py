# SPDX-License-Identifier: Apache-2.0
"""The images themselves, as `./dev image` has built them from deploy/Dockerfile: what is in them, and
the manifests' pods run of them in containers. Without images all of this is skipped."""
import base64
import json
import re
import signal
import stat
from pathlib import PurePath

import pytest
from broker import Broker
from containers import LOCKED_IN, Container, Image, needs_images, run_in, version
from kubelet import ContainerPod, Kubelet
from manifests import CAN_RENDER, brokers, container_of, flags_of, workers
from pages import QUEUE, publish_pages
from processes import SOURCE, wait_until

pytestmark = [needs_images, pytest.mark.skipif(not CAN_RENDER, reason="no kubectl is here")]

NOBODY = 65532
NOTICE_S = 15  # of GKE, before a Spot machine goes
# Image -> its programs, and MiB that it must not be larger than.
IMAGES = {"ackd": ({"usr/bin/ackd", "usr/bin/ackctl"}, 40),
          "ackd-worker": ({"usr/bin/ackctl"}, 40),
          "ackd-ocr": ({"usr/bin/ocr"}, 110)}


# What is in them

@pytest.fixture(scope="module", params=IMAGES)
def image(request):
    return request.param, Image(request.param)


def test_an_image_has_its_programs_and_no_other(image):
    """No shell, no package manager, no interpreter: nothing that could be run but these."""
    name, saved = image
    programs, _ = IMAGES[name]
    assert {path for path, file in saved.files.items()
            if file.isfile() and file.mode & 0o111 and ".so" not in PurePath(path).name} == programs


def test_an_image_has_nothing_that_changes_who_one_is_or_that_anybody_may_change(image):
    _, saved = image
    assert [path for path, file in saved.files.items()
            if file.mode & (stat.S_ISUID | stat.S_ISGID)] == []
    assert [path for path, file in saved.files.items()
            if file.mode & stat.S_IWOTH and not file.issym()] == ["tmp"]
    assert [path for path, file in saved.files.items() if file.uid not in (0, NOBODY)] == []


def test_an_image_runs_as_nobody_and_belongs_to_root(image):
    name, saved = image
    assert saved.config["User"] == f"{NOBODY}:{NOBODY}"
    owned = [path for path, file in saved.files.items() if file.uid == NOBODY]
    assert owned == (["var/lib/ackd"] if name == "ackd" else [])


def test_an_image_is_small(image):
    name, saved = image
    assert saved.size < IMAGES[name][1] << 20


def test_an_image_tells_scanners_its_packages(image):
    _, saved = image
    assert {"var/lib/dpkg/status.d/libc6", "etc/os-release"} <= set(saved.files)


# Programs in them

@pytest.mark.parametrize("image, flags, wanted", [
    ("ackd", (), "ackd"), ("ackd", ("--entrypoint=/usr/bin/ackctl",), "ackctl"),
    ("ackd-worker", ("--entrypoint=/usr/bin/ackctl",), "ackctl")])
def test_a_program_of_an_image_says_its_version(image, flags, wanted):
    ran = run_in(image, "--version", flags=flags)
    assert (ran.returncode, ran.stdout) == (0, f"{wanted} {version()}\n")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_no_shell(image):
    ran = run_in(image, "-c", "true", flags=("--entrypoint=sh",))
    assert ran.returncode == 127 and "not found in $PATH" in ran.stderr


@pytest.mark.parametrize("place, refused", [("/tmp/data", "Read-only file system"),
                                            ("/var/lib/data", "Permission denied")])
def test_the_broker_writes_nowhere_but_to_its_volume(place, refused):
    """/tmp is anybody's, but for the root that is read-only; the rest is root's besides."""
    ran = run_in("ackd", f"--data-dir={place}", flags=(
        "--user=65532:65532", "--cap-drop=all",
        *(("--read-only", "--read-only-tmpfs=false") if place.startswith("/tmp") else ())))
    assert ran.returncode == 1
    assert refused in ran.stderr


# The broker's pod

@pytest.fixture
def broker_pod(volumes, tmp_path):
    broker, = brokers("broker")
    pod = ContainerPod(broker, "ackd-0", volumes, tmp_path / "ackd-0.log")
    yield pod
    if pod.process:
        pod.process.kill()


def ackctl(pod: ContainerPod, *arguments: str) -> str:
    """`kubectl exec ackd-0 -- ackctl ...`."""
    ran = pod.process.execute("/usr/bin/ackctl", *arguments, user=NOBODY)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def counts(pod: ContainerPod) -> dict[str, int]:
    found = pod.call("QueueService/Get", name=QUEUE)["queue"].get("counts", {})
    return {name: int(found[name]) for name in ("ready", "leased", "done") if name in found}


def test_the_broker_in_its_container_is_nobody_and_can_become_nobody_else(broker_pod):
    broker_pod.start()
    broker_pod.await_started()
    with open(f"/proc/{broker_pod.process.inner_pid}/status", encoding="utf-8") as file:
        status = dict(re.findall(r"^(\w+):\s*(.*)$", file.read(), flags=re.M))
    assert status["Uid"].split() == status["Gid"].split() == [str(NOBODY)] * 4
    for mask in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[mask], 16) == 0, mask
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "as RuntimeDefault has it, calls are filtered"


def test_the_broker_in_its_container_serves_its_own_ackctl_and_stops_in_time(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        assert broker_pod.holds("livenessProbe")
        ackctl(broker_pod, "queue", "create", QUEUE)
        broker_pod.call("TaskService/Publish", queue=QUEUE, tasks=[{"taskId": "a"}])
        task, = json.loads(ackctl(broker_pod, "lease", QUEUE, "-o", "json"))["tasks"]
        ackctl(broker_pod, "ack", task["leaseToken"])
        assert counts(broker_pod) == {"done": 1}
        code, took_s = kubelet.delete_pod()
    assert (code, broker_pod.starts) == (0, 1)
    assert took_s < broker_pod.spec["terminationGracePeriodSeconds"] / 4


def test_a_container_that_is_killed_comes_back_on_its_volume_with_all_it_had(broker_pod):
    with Kubelet(broker_pod) as kubelet:
        kubelet.await_ready()
        broker_pod.call("QueueService/Create", name=QUEUE)
        broker_pod.call("TaskService/Publish", queue=QUEUE,
                        tasks=[{"taskId": each} for each in "abc"])
        lease, = broker_pod.call("TaskService/Lease", queue=QUEUE, maxTasks=1)["tasks"]
        broker_pod.process.signal(signal.SIGKILL)
        wait_until(lambda: broker_pod.starts == 2 and kubelet.ready, "it was started again")
        assert counts(broker_pod) == {"ready": 2, "leased": 1}
        broker_pod.call("TaskService/Ack", items=[{"leaseToken": lease["leaseToken"]}])
        assert counts(broker_pod) == {"ready": 2, "done": 1}


# Workers

@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        broker.call("QueueService/Create", name=QUEUE)
        yield broker


@pytest.fixture
def worker_pod(broker, volumes, tmp_path):
    worker, = workers("overlays/spot")
    pod = ContainerPod(worker, "ocr-0", volumes, tmp_path / "ocr-0.log",
                       {flags_of(container_of(worker))["--url"]: broker.url})
    yield pod
    if pod.process:
        pod.process.kill()


def numbers(broker: Broker) -> dict[str, int]:
    found = broker.call("QueueService/Get", name=QUEUE)["queue"].get("counts", {})
    return {name: int(found.get(name, 0)) for name in ("ready", "leased", "done", "dead")}


def test_the_worker_in_its_container_reads_pages_until_none_is_left(broker, worker_pod):
    publish_pages(broker, 3)
    worker_pod.start()
    assert worker_pod.process.wait(60) == 0, worker_pod.process.log_end()
    assert numbers(broker) == {"ready": 0, "leased": 0, "done": 3, "dead": 0}


def test_an_evicted_container_drains_within_the_notice_and_gives_its_tasks_back(broker, worker_pod):
    publish_pages(broker, 300)
    worker_pod.start()
    wait_until(lambda: numbers(broker)["done"] > 0, "a page is read")
    code, took_s = worker_pod.end(NOTICE_S)
    assert code == 75 and took_s < NOTICE_S - 2
    assert numbers(broker)["leased"] == 0
    assert numbers(broker)["ready"] + numbers(broker)["done"] == 300


def test_a_worker_built_in_the_sdk_image_works_in_the_worker_image(broker, tmp_path):
    tmp_path.chmod(0o777)
    made = run_in("ackd-sdk", "-c", "gcc -Wall -Werror /src/smallest.c -o /made/smallest"
                  " $(pkg-config --cflags --libs ackd)"
                  " && install -D /made/smallest /made/out/usr/bin/smallest"
                  " && ackd-root /made/out /made/root usr/bin/smallest",
                  flags=("--entrypoint=/bin/sh", f"--volume={tmp_path}:/made",
                         f"--volume={SOURCE}/worker-sdk/examples:/src:ro"))
    assert (made.returncode, made.stderr) == (0, "")
    assert (tmp_path / "root/usr/lib/libackd.so.0").is_file()
    broker.call("TaskService/Publish", queue=QUEUE, tasks=[
        {"taskId": "a", "payload": base64.b64encode(b"three words long").decode()}])
    worker = Container(f"ackd-worker:{version()}", ["/made/smallest", QUEUE],
                       tmp_path / "worker.log", [*LOCKED_IN, f"--volume={tmp_path}:/made:ro",
                                                 f"--env=ACKD_URL={broker.url}"])
    try:
        wait_until(lambda: numbers(broker)["done"] or worker.exit_code() is not None,
                   "its words are counted")
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0, worker.log_end()
    finally:
        worker.kill()
    result = broker.call("ResultService/Get", queue=QUEUE, taskId="a")["result"]
    assert base64.b64decode(result["data"]) == b"3"
