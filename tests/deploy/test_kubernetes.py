# SPDX-License-Identifier: Apache-2.0
"""The manifests of deploy/kubernetes, rendered by kubectl, against the real programs: what a
container would run is run here, with only its paths and addresses exchanged."""
import http.client
import re
import shutil
import signal
import subprocess

import pytest
import yaml
from broker import Broker
from processes import BUILD, SOURCE, Process, free_port, wait_until

PROGRAMS = {"ackd": BUILD / "broker/daemon/ackd", "ackd-ocr": BUILD / "worker-sdk/examples/ocr/ocr"}
FOLDERS = ("broker", "worker")

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl here")


def render(folder: str) -> dict[tuple[str, str], dict]:
    """(kind, name) -> object."""
    done = subprocess.run(["kubectl", "kustomize", SOURCE / "deploy/kubernetes" / folder],
                          check=True, capture_output=True, text=True)
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def pod_of(workload: dict) -> dict:
    return workload["spec"]["template"]["spec"]


def containers() -> list[tuple[dict, dict]]:
    """(pod, container) of every workload."""
    return [(pod_of(each), container) for folder in FOLDERS for each in render(folder).values()
            if "template" in each.get("spec", {}) for container in pod_of(each)["containers"]]


def program_of(container: dict):
    return PROGRAMS[container["image"].split(":")[0]]


def test_every_flag_of_every_container_is_one_that_its_program_has():
    for _, container in containers():
        shown = subprocess.run([program_of(container), "--help"], check=True, capture_output=True,
                               text=True).stdout
        for argument in container["args"]:
            if argument.startswith("-"):
                flag = argument.split("=")[0]
                assert re.search(rf"(?<!\S){flag}(?![\w-])", shown), (container["name"], flag)


def test_every_pod_runs_as_nobody_in_particular_and_writes_only_to_its_volumes():
    for pod, container in containers():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert pod["automountServiceAccountToken"] is False
        rules = container["securityContext"]
        assert rules["readOnlyRootFilesystem"] and not rules["allowPrivilegeEscalation"]
        assert rules["capabilities"]["drop"] == ["ALL"]


def test_no_service_puts_variables_of_the_form_ACKD_into_an_environment():
    for pod, _ in containers():
        assert pod["enableServiceLinks"] is False


def test_the_broker_is_one_on_a_volume_of_its_own_and_off_spot_nodes():
    broker = render("broker")["StatefulSet", "ackd"]
    assert broker["spec"]["replicas"] == 1
    claim, = broker["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    container, = pod_of(broker)["containers"]
    mount, = container["volumeMounts"]
    assert mount["name"] == claim["metadata"]["name"]
    assert f"--data-dir={mount['mountPath']}" in container["args"]
    terms = (pod_of(broker)["affinity"]["nodeAffinity"]
             ["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"])
    assert {"key": "cloud.google.com/gke-spot", "operator": "DoesNotExist"} in \
        terms[0]["matchExpressions"]


def test_services_and_the_disruption_budget_select_the_brokers_pod():
    objects = render("broker")
    labels = objects["StatefulSet", "ackd"]["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in pod_of(objects["StatefulSet", "ackd"])["containers"][0]["ports"]}
    for name in ("ackd", "ackd-pods"):
        service = objects["Service", name]["spec"]
        assert service["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["ports"]} <= ports
    assert objects["StatefulSet", "ackd"]["spec"]["serviceName"] == "ackd-pods"
    budget = objects["PodDisruptionBudget", "ackd"]["spec"]["selector"]["matchLabels"]
    policy = objects["NetworkPolicy", "ackd"]["spec"]["podSelector"]["matchLabels"]
    assert budget.items() <= labels.items() and policy.items() <= labels.items()


def test_a_worker_is_on_spot_nodes_gives_way_and_has_its_notice():
    objects = render("worker")
    pod = pod_of(objects["Job", "ocr"])
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] == 25
    assert {each["key"] for each in pod["tolerations"]} >= {"cloud.google.com/gke-spot",
                                                            "nvidia.com/gpu"}
    assert objects["PriorityClass", pod["priorityClassName"]]["value"] < 0
    first_rule = objects["Job", "ocr"]["spec"]["podFailurePolicy"]["rules"][0]
    assert first_rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}


def test_the_brokers_container_serves_and_answers_its_probes(tmp_path):
    container, = pod_of(render("broker")["StatefulSet", "ackd"])["containers"]
    port = free_port()
    swapped = {"--data-dir": str(tmp_path / "data"), "--listen": f"127.0.0.1:{port}"}
    process = Process([program_of(container), *swap(container["args"], swapped)], tmp_path / "log")
    try:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = container[probe]["httpGet"]
            wait_until(lambda: http_status(port, get["path"]) == 200,
                       f"{probe} holds\n{process.log_end()}")
    finally:
        process.kill()


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        broker.call("QueueService/Create", name=worker_args()[-1])
        yield broker


@pytest.fixture
def worker(broker, tmp_path):
    """The worker's container, but for --until-empty, on its way to wait for tasks."""
    args = [each for each in worker_args() if each != "--until-empty"]
    process = Process([PROGRAMS["ackd-ocr"], *swap(args, {"--url": broker.url})], tmp_path / "log")
    yield process
    process.kill()


def worker_args() -> list[str]:
    return pod_of(render("worker")["Job", "ocr"])["containers"][0]["args"]


def test_a_worker_asks_the_brokers_service():
    service = render("broker")["Service", "ackd"]
    assert service["metadata"]["namespace"] == render("worker")["Job", "ocr"]["metadata"]["namespace"]
    assert f"--url=http://ackd:{service['spec']['ports'][0]['port']}" in worker_args()


def test_the_workers_container_ends_with_0_where_the_queue_is_done(broker, tmp_path):
    process = Process([PROGRAMS["ackd-ocr"], *swap(worker_args(), {"--url": broker.url})],
                      tmp_path / "log")
    assert process.wait() == 0, process.log_end()


def test_a_drained_workers_exit_code_is_one_that_the_job_ignores(broker, worker):
    wait_until(lambda: broker.call("SessionService/List").get("sessions"), "the worker's session")
    worker.signal(signal.SIGTERM)
    code = worker.wait()
    rules = render("worker")["Job", "ocr"]["spec"]["podFailurePolicy"]["rules"]
    ignored = [value for rule in rules if rule["action"] == "Ignore"
               for value in rule.get("onExitCodes", {}).get("values", [])]
    assert code in ignored, worker.log_end()


def swap(args: list[str], values: dict[str, str]) -> list[str]:
    swapped = []
    for argument in args:
        flag = argument.split("=")[0]
        swapped.append(f"{flag}={values[flag]}" if flag in values else argument)
    return swapped


def http_status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()
