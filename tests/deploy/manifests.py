# SPDX-License-Identifier: Apache-2.0
"""manifests.py -- deploy/kubernetes as the cluster would get it: rendered by kubectl."""
import functools
import shutil
import subprocess

import pytest
import yaml
from processes import BUILD, SOURCE

KUBERNETES = SOURCE / "deploy/kubernetes"
# What a user applies, each rendered by itself.
ROOTS = ("broker", "worker", *sorted(f"overlays/{each.name}"
                                     for each in (KUBERNETES / "overlays").iterdir()))
# The programs of the images of deploy/Dockerfile.
PROGRAMS = {"ackd": BUILD / "broker/daemon/ackd", "ackd-ocr": BUILD / "worker-sdk/examples/ocr/ocr"}


def can_render() -> bool:
    """Whether there is a kubectl that says which kustomize it has: those before 4.2 do not, and
    know neither components nor replacements."""
    if not shutil.which("kubectl"):
        return False
    done = subprocess.run(["kubectl", "version", "--client", "-o", "json"],
                          check=False, capture_output=True, text=True)
    return "kustomizeVersion" in done.stdout


CAN_RENDER = can_render()
needs_kubectl = pytest.mark.skipif(not CAN_RENDER, reason="no kubectl of 1.24 or later is here")


@functools.cache
def render(root: str) -> dict[tuple[str, str], dict]:
    """(kind, name) -> object."""
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / root],
                          check=True, capture_output=True, text=True)
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def workloads(root: str) -> list[dict]:
    return [each for each in render(root).values() if "template" in each.get("spec", {})]


def workers(root: str) -> list[dict]:
    return [each for each in workloads(root)
            if each["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"]


def brokers(root: str) -> list[dict]:
    return [each for each in workloads(root) if each not in workers(root)]


WORKER_ROOTS = [root for root in ROOTS if CAN_RENDER and workers(root)]
BROKER_ROOTS = [root for root in ROOTS if CAN_RENDER and brokers(root)]


def pod_of(workload: dict) -> dict:
    return workload["spec"]["template"]["spec"]


def container_of(workload: dict) -> dict:
    """The one that does the work."""
    container, = pod_of(workload)["containers"]
    return container


def program_of(container: dict):
    return PROGRAMS[container["image"].split(":")[0]]


def flags_of(container: dict) -> dict[str, str]:
    """--name=value as {"--name": "value"}; a flag without a value has ""."""
    return {name: value for name, _, value in
            (each.partition("=") for each in container["args"] if each.startswith("--"))}


def environment_of(container: dict) -> dict[str, str]:
    """The variables with a value in the manifest."""
    return {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}


@functools.cache
def pools() -> dict[str, str]:
    """components/pools/pools.env."""
    lines = (KUBERNETES / "components/pools/pools.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
