# SPDX-License-Identifier: Apache-2.0
"""The pitfalls of running this on a cluster, asserted away on the rendered manifests of every root
that a user may apply. What needs a running program is in test_kubelet.py."""
import json
import re
import subprocess

import pytest
from broker import Broker
from manifests import (BROKER_ROOTS, KUBERNETES, ROOTS, WORKER_ROOTS, brokers, container_of,
                       environment_of, flags_of, needs_kubectl, pod_of, pools, program_of, render,
                       workers, workloads)
from processes import SOURCE
from raw_http import RawClient

pytestmark = needs_kubectl

# What GKE gives the pods of a Spot machine that goes away, whatever their own grace says.
GKE_NOTICE_S = 15
# Labels of machines that may be taken away, by cloud.
SPOT_LABELS = {"cloud.google.com/gke-spot", "cloud.google.com/gke-preemptible",
               "karpenter.sh/capacity-type", "eks.amazonaws.com/capacityType",
               "kubernetes.azure.com/scalesetpriority"}


def taint(key: str, value: str) -> tuple:
    return key, value, pools()["TAINT_EFFECT"]


def taints_of_pools() -> dict[str, set[tuple]]:
    """Pool -> its taints, as deploy/gke makes it and GKE adds to it."""
    names = pools()
    gpu = taint(names["GPU_TAINT_KEY"], names["GPU_TAINT_VALUE"])
    return {names["SPOT_POOL"]: {gpu, taint(names["SPOT_TAINT_KEY"], names["TAINT_VALUE"])},
            names["FLEX_START_POOL"]: {gpu, taint(names["FLEX_START_TAINT_KEY"],
                                                  names["TAINT_VALUE"])},
            names["ON_DEMAND_POOL"]: {gpu}}


def pools_of(pod: dict) -> set[str]:
    """The pools that the pod may land on."""
    named = {pod.get("nodeSelector", {}).get("cloud.google.com/gke-nodepool")} - {None}
    required = (pod.get("affinity", {}).get("nodeAffinity", {})
                .get("requiredDuringSchedulingIgnoredDuringExecution", {}))
    for term in required.get("nodeSelectorTerms", []):
        for rule in term["matchExpressions"]:
            if rule["key"] == "cloud.google.com/gke-nodepool" and rule["operator"] == "In":
                named.update(rule["values"])
    return named


def tolerated_by(pod: dict) -> set[tuple]:
    return {(each["key"], each.get("value"), each.get("effect"))
            for each in pod.get("tolerations", [])}


def all_pods() -> list[dict]:
    return [pod_of(each) for root in ROOTS for each in workloads(root)]


def all_containers() -> list[dict]:
    return [container_of(each) for root in ROOTS for each in workloads(root)]


def seconds_of(probe: dict) -> int:
    return probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)


# Where workers land

@pytest.mark.parametrize("root", WORKER_ROOTS)
def test_a_worker_tolerates_exactly_the_taints_of_the_pools_that_it_selects(root):
    for worker in workers(root):
        selected = pools_of(pod_of(worker))
        assert selected <= set(taints_of_pools()), "a pool that deploy/gke does not make"
        wanted = set().union(*(taints_of_pools()[pool] for pool in selected))
        if not selected and "nvidia.com/gpu" in container_of(worker)["resources"]["limits"]:
            wanted = {taint(pools()["GPU_TAINT_KEY"], pools()["GPU_TAINT_VALUE"])}
        assert tolerated_by(pod_of(worker)) == wanted


@pytest.mark.parametrize("root, pool", [
    ("overlays/spot", {"SPOT_POOL"}), ("overlays/spot-checkpoints", {"SPOT_POOL"}),
    ("overlays/spot-cluster-tokens", {"SPOT_POOL"}),
    ("overlays/autoscale", {"SPOT_POOL"}), ("overlays/flex-start", {"FLEX_START_POOL"}),
    ("overlays/on-demand", {"ON_DEMAND_POOL"}),
    ("overlays/on-demand-checkpoints", {"ON_DEMAND_POOL"}),
    ("overlays/hybrid", {"SPOT_POOL", "ON_DEMAND_POOL"}), ("overlays/compute-class", set()),
    ("worker", set())])
def test_an_overlay_is_about_the_pools_of_its_name(root, pool):
    for worker in workers(root):
        assert pools_of(pod_of(worker)) == {pools()[each] for each in pool}


def test_the_hybrid_prefers_spot():
    worker, = workers("overlays/hybrid")
    preferred, = (pod_of(worker)["affinity"]["nodeAffinity"]
                  ["preferredDuringSchedulingIgnoredDuringExecution"])
    rule, = preferred["preference"]["matchExpressions"]
    assert rule["values"] == [pools()["SPOT_POOL"]]


def test_pool_names_and_taints_are_written_in_one_place():
    """Whoever writes one elsewhere, in manifests or scripts, lets them drift apart."""
    places = [path for folder in (KUBERNETES, SOURCE / "deploy/gke") for path in folder.rglob("*")
              if path.is_file() and path.name != "pools.env" and path.suffix != ".md"]
    for path in places:
        text = path.read_text()
        for name in ("SPOT_POOL", "FLEX_START_POOL", "ON_DEMAND_POOL"):
            assert not re.search(rf"\b{pools()[name]}\b(?!-)", text), (path, name)
        assert not re.search(r"^\s*(- )?\{?key: " + re.escape(pools()["SPOT_TAINT_KEY"])
                             + r", operator: Equal", text, re.M), path


@pytest.mark.parametrize("root", [root for root in WORKER_ROOTS if root != "worker"])
def test_a_gpu_worker_limits_its_gpus_and_asks_for_no_other_number(root):
    for worker in workers(root):
        resources = container_of(worker)["resources"]
        assert resources["limits"]["nvidia.com/gpu"] == 1
        assert resources["requests"].get("nvidia.com/gpu", 1) == 1


def test_every_container_has_a_limit_of_memory_and_says_what_it_needs():
    for container in all_containers():
        assert "memory" in container["resources"]["limits"]
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}


@pytest.mark.parametrize("root", WORKER_ROOTS)
def test_workers_give_way_to_the_broker(root):
    for worker in workers(root):
        own = render(root)["PriorityClass", pod_of(worker)["priorityClassName"]]
        brokers_class = render("broker")["PriorityClass", "ackd-broker"]
        assert own["value"] < 0 < brokers_class["value"]
        # The cluster autoscaler adds no machine for pods below it.
        assert own["value"] >= -10
        assert own["preemptionPolicy"] == "Never"


# How workers leave

@pytest.mark.parametrize("root", WORKER_ROOTS)
def test_the_drain_fits_into_the_notice_and_the_pods_grace(root):
    for worker in workers(root):
        grace_s = int(flags_of(container_of(worker))["--grace-ms"]) / 1000
        assert grace_s <= GKE_NOTICE_S - 2, "room for the signal to come and the process to end"
        assert grace_s < pod_of(worker)["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("root", WORKER_ROOTS)
def test_a_job_counts_no_eviction_as_a_failure_and_no_drain_as_the_end(root):
    for job in (each for each in workers(root) if each["kind"] == "Job"):
        flags = flags_of(container_of(job))
        rules = job["spec"]["podFailurePolicy"]["rules"]
        assert pod_of(job)["restartPolicy"] == "Never"  # a podFailurePolicy wants it
        assert rules[0] == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
        ignored = [code for rule in rules if rule["action"] == "Ignore"
                   for code in rule.get("onExitCodes", {}).get("values", [])]
        assert int(flags["--drained-exit-code"]) in ignored
        assert "completions" not in job["spec"], "0 must mean: the queue is done"
        assert "--until-empty" in flags


def test_workers_that_are_scaled_do_not_leave_by_themselves():
    worker, = workers("overlays/autoscale")
    assert worker["kind"] == "Deployment"
    assert "--until-empty" not in flags_of(container_of(worker))
    assert "replicas" not in worker["spec"], "an apply would undo what KEDA has set"


def test_a_flex_start_worker_knows_how_long_its_machine_runs():
    worker, = workers("overlays/flex-start")
    told = environment_of(container_of(worker))["ACKD_MACHINE_MAX_RUN_MS"]
    assert told == pools()["FLEX_START_MAX_RUN_MS"]
    assert 600 <= int(told) / 1000 <= 604800, "GKE gives a flex-start machine 7 days at most"
    assert pod_of(worker)["nodeSelector"]["cloud.google.com/gke-flex-start"] == "true"


# What stays

@pytest.mark.parametrize("root", BROKER_ROOTS)
def test_no_broker_can_land_on_a_machine_that_may_be_taken_away(root):
    for broker in brokers(root):
        pod = pod_of(broker)
        terms = (pod["affinity"]["nodeAffinity"]
                 ["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"])
        for term in terms:  # they are alternatives: each must keep off all
            kept_off = {rule["key"] for rule in term["matchExpressions"]
                        if rule["operator"] in ("DoesNotExist", "NotIn")}
            assert kept_off >= SPOT_LABELS
        assert tolerated_by(pod) == set()


@pytest.mark.parametrize("root", BROKER_ROOTS)
def test_the_broker_is_one_on_a_volume_of_its_own(root):
    broker, = brokers(root)
    assert broker["spec"]["replicas"] == 1
    claim, = broker["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    mounts = {each["name"]: each["mountPath"] for each in container_of(broker)["volumeMounts"]}
    assert flags_of(container_of(broker))["--data-dir"] == mounts[claim["metadata"]["name"]]
    assert pod_of(broker)["securityContext"]["fsGroup"] == \
        pod_of(broker)["securityContext"]["runAsGroup"]


@pytest.mark.parametrize("root", BROKER_ROOTS)
def test_nothing_moves_the_broker_by_the_way(root):
    broker, = brokers(root)
    labels = broker["spec"]["template"]["metadata"]["labels"]
    budgets = [each["spec"] for (kind, _), each in render(root).items()
               if kind == "PodDisruptionBudget"]
    assert any(each["maxUnavailable"] == 0 and each["selector"]["matchLabels"].items() <=
               labels.items() for each in budgets)
    assert (broker["spec"]["template"]["metadata"]["annotations"]
            ["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false")


@pytest.mark.parametrize("root", ROOTS)
def test_no_data_and_no_checkpoint_lies_in_a_place_that_goes_with_the_pod(root):
    for workload in workloads(root):
        container, pod = container_of(workload), pod_of(workload)
        directory = (environment_of(container).get("ACKD_CHECKPOINT_DIR")
                     or flags_of(container).get("--data-dir"))
        if directory is None:
            continue
        mount, = [each for each in container["volumeMounts"] if each["mountPath"] == directory]
        claims = [each["metadata"]["name"]
                  for each in workload["spec"].get("volumeClaimTemplates", [])]
        volumes = {each["name"]: each for each in pod.get("volumes", [])}
        if mount["name"] not in claims:
            assert volumes[mount["name"]].keys() & {"persistentVolumeClaim", "csi"}
    assert not any("emptyDir" in volume for pod in all_pods() for volume in pod.get("volumes", []))


@pytest.mark.parametrize("root", BROKER_ROOTS)
def test_the_brokers_probes_give_it_time(root):
    broker, = brokers(root)
    container = container_of(broker)
    assert seconds_of(container["startupProbe"]) >= 600, "the store is checked after a crash"
    # A store that commits slowly must not be restarted for it.
    assert seconds_of(container["livenessProbe"]) >= 60
    assert seconds_of(container["readinessProbe"]) <= 30
    stop_s = 10  # ackd's default of --stop-timeout
    assert stop_s < pod_of(broker)["terminationGracePeriodSeconds"]


# Who may do what

def test_every_pod_runs_as_nobody_in_particular_and_writes_only_to_its_volumes():
    for pod in all_pods():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            rules = container["securityContext"]
            assert rules["readOnlyRootFilesystem"] and not rules["allowPrivilegeEscalation"]
            assert rules["capabilities"]["drop"] == ["ALL"]


@pytest.mark.parametrize("root", ROOTS)
def test_every_pod_has_an_account_of_its_own_without_a_token(root):
    for workload in workloads(root):
        account = render(root)["ServiceAccount", pod_of(workload)["serviceAccountName"]]
        assert account["automountServiceAccountToken"] is False


def test_no_service_puts_variables_of_the_form_ACKD_into_an_environment():
    for pod in all_pods():
        assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize("root", BROKER_ROOTS)
def test_services_policies_and_monitors_select_the_brokers_pod(root):
    objects = render(root)
    broker, = brokers(root)
    labels = broker["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in container_of(broker)["ports"]}
    services = {name: each for (kind, name), each in objects.items() if kind == "Service"}
    for service in services.values():
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    assert broker["spec"]["serviceName"] in services
    for (kind, name), each in objects.items():
        if kind == "NetworkPolicy":
            assert each["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        if kind == "ServiceMonitor":
            wanted = each["spec"]["selector"]["matchLabels"]
            found = [service for service in services.values()
                     if wanted.items() <= service["metadata"]["labels"].items()]
            assert len(found) == 1, "each pod is to be asked once"
            named = {port["name"] for port in found[0]["spec"]["ports"]}
            assert {endpoint["port"] for endpoint in each["spec"]["endpoints"]} <= named


@pytest.mark.parametrize("root", WORKER_ROOTS)
def test_a_worker_asks_the_brokers_service(root):
    service = render("broker")["Service", "ackd"]
    for worker in workers(root):
        assert worker["metadata"]["namespace"] == service["metadata"]["namespace"]
        port = service["spec"]["ports"][0]["port"]
        assert re.fullmatch(rf"https?://ackd:{port}", flags_of(container_of(worker))["--url"])


@pytest.mark.parametrize("root", ROOTS)
def test_secrets_come_as_files_that_not_everybody_may_read(root):
    for workload in workloads(root):
        for volume in pod_of(workload).get("volumes", []):
            for kind in volume.keys() & {"secret", "projected"}:
                assert volume[kind]["defaultMode"] & 0o007 == 0
                assert pod_of(workload)["securityContext"]["fsGroup"] > 0
        assert "secretKeyRef" not in str(container_of(workload).get("env", []))


@pytest.mark.parametrize("root", WORKER_ROOTS)
def test_workers_never_get_the_brokers_key(root):
    for worker in workers(root):
        assert "tls.key" not in str(pod_of(worker)) and "ackd-admin" not in str(pod_of(worker))


# What the programs say of it

def test_every_flag_of_every_container_is_one_that_its_program_has():
    for container in all_containers():
        shown = subprocess.run([program_of(container), "--help"], check=True, capture_output=True,
                               text=True).stdout
        for flag in flags_of(container):
            assert re.search(rf"(?<!\S){flag}(?![\w-])", shown), (container["name"], flag)


def test_every_ACKD_variable_of_every_container_is_one_that_the_sdk_documents():
    documented = (SOURCE / "worker-sdk/include/ackd/worker.h").read_text()
    for container in all_containers():
        for name in (each["name"] for each in container.get("env", [])):
            if name.startswith("ACKD_"):
                assert re.search(rf"\b{name}\b", documented), (container["name"], name)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        broker.call("QueueService/Create", name="pages")
        broker.call("TaskService/Publish", queue="pages", tasks=[{"taskId": "a"}, {"taskId": "b"}])
        yield broker


def get(broker: Broker, path: str):
    with RawClient(broker.port) as client:
        return client.call(path, verb="GET")


@pytest.mark.parametrize("root", BROKER_ROOTS)
def test_every_probe_and_monitor_asks_for_something_that_a_broker_answers(running, root):
    broker, = brokers(root)
    container = container_of(broker)
    paths = [container[probe]["httpGet"]["path"]
             for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    paths += [endpoint["path"] for (kind, _), each in render(root).items()
              if kind == "ServiceMonitor" for endpoint in each["spec"]["endpoints"]]
    for path in paths:
        assert get(running, path).status == 200, path


def test_what_KEDA_asks_for_is_a_number_that_a_broker_gives(running):
    scaled = render("overlays/autoscale")["ScaledObject", "ocr"]["spec"]
    trigger, = scaled["triggers"]
    address, _, path = trigger["metadata"]["url"].split("//")[1].partition("/")
    service = render("broker")["Service", "ackd"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert address == f"{name}.{namespace}:{service['spec']['ports'][0]['port']}"
    reply = get(running, "/" + path)
    assert reply.status == 200
    assert json.loads(reply.body)[trigger["metadata"]["valueLocation"]] == 2
    target, = workers("overlays/autoscale")
    assert scaled["scaleTargetRef"]["name"] == target["metadata"]["name"]
    assert scaled["minReplicaCount"] == 0, "GPUs that wait for work cost as much as those at work"
