# SPDX-License-Identifier: Apache-2.0
"""What deploy/ has beside the manifests: the pools of GKE, secrets, systemd, compose."""
import http.client
import os
import re
import shutil
import ssl
import subprocess

import pytest
import yaml
from broker import Broker
from manifests import PROGRAMS, pools
from processes import BUILD, SOURCE, wait_until

DEPLOY = SOURCE / "deploy"


def gcloud(step: str, **environment: str) -> str:
    """The commands that the step would run."""
    done = subprocess.run([DEPLOY / "gke/pools.sh", "--dry-run", step], check=True, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL,
                          env=os.environ | {"PROJECT": "p", "PROJECT_NUMBER": "1"} | environment)
    return done.stdout


# GKE

@pytest.mark.parametrize("step, pool, taint", [
    ("spot", "SPOT_POOL", "SPOT_TAINT_KEY"),
    ("flex-start", "FLEX_START_POOL", "FLEX_START_TAINT_KEY"),
    ("on-demand", "ON_DEMAND_POOL", None)])
def test_a_pool_is_made_with_the_name_and_the_taint_that_its_workers_know(step, pool, taint):
    command = gcloud(step)
    assert f"node-pools create {pools()[pool]} " in command
    wanted = (f"--node-taints {pools()[taint]}={pools()['TAINT_VALUE']}:{pools()['TAINT_EFFECT']} "
              if taint else "")
    assert wanted in command and ("--node-taints" in command) == bool(taint)
    assert "--accelerator" in command and "--total-min-nodes 0" in command


def test_spot_is_spot_and_flex_start_ends_when_its_workers_are_told():
    assert "--spot " in gcloud("spot")
    assert "--spot" not in gcloud("on-demand") + gcloud("flex-start")
    seconds = int(pools()["FLEX_START_MAX_RUN_MS"]) // 1000
    assert f"--flex-start --max-run-duration {seconds}s" in gcloud("flex-start")


def test_a_longer_notice_leaves_the_system_its_share(tmp_path):
    command = gcloud("spot", SHUTDOWN_GRACE_S="120", TMPDIR=str(tmp_path))
    file, = tmp_path.iterdir()
    assert f"--system-config-from-file {file} " in command
    config = yaml.safe_load(file.read_text())["kubeletConfig"]
    assert config["shutdownGracePeriodSeconds"] == 120
    assert config["shutdownGracePeriodCriticalPodsSeconds"] == 15


def test_the_bucket_is_the_workers_own():
    claims = (DEPLOY / "kubernetes/components/checkpoints-bucket/kustomization.yaml").read_text()
    name = re.search(r"bucketName: (\S+)", claims).group(1)
    assert f"gs://{name} " in gcloud("bucket")
    assert "/subject/ns/ackd/sa/ackd-worker" in gcloud("bucket")


# secrets

def secrets(directory, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([DEPLOY / "secrets.sh", directory], text=True, capture_output=True,
                          env=os.environ | {"ACKCTL": str(BUILD / "cli/ackctl")} | environment)


def names(directory) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


def test_secrets_that_could_not_be_made_leave_nothing_and_are_made_by_the_next_run(tmp_path):
    """What a run before it made is kept, and what went wrong is said."""
    ended = secrets(tmp_path, NAMES="no such kind of name")
    assert ended.returncode != 0 and "subjectAltName" in ended.stderr
    assert names(tmp_path) == ["ca.crt", "ca.key"]
    authority = (tmp_path / "ca.crt").read_text()
    assert secrets(tmp_path, ACKCTL="false").returncode != 0
    assert names(tmp_path) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
    assert secrets(tmp_path).returncode == 0
    assert names(tmp_path) == ["ca.crt", "ca.key", "tls.crt", "tls.key", "token"]
    assert (tmp_path / "token").read_text().startswith("ackd_")
    assert (tmp_path / "ca.crt").read_text() == authority


# systemd

def unit() -> str:
    return (DEPLOY / "systemd/ackd.service").read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_understands_the_unit_and_finds_it_tight(tmp_path):
    copy = tmp_path / "ackd.service"
    copy.write_text(unit().replace("/usr/bin/ackd", str(PROGRAMS["ackd"]))
                    .replace("Documentation=man:ackctl(1)\n", ""))
    (tmp_path / "ackd.service.d").mkdir()
    shutil.copy(DEPLOY / "systemd/secure.conf", tmp_path / "ackd.service.d")
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    tight = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20",
                            copy], capture_output=True, text=True)
    assert tight.returncode == 0, tight.stdout[-300:]


def test_the_unit_gives_the_broker_time_to_stop_and_starts_it_again():
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit(), re.M).group(1)) > 10
    assert "Restart=always" in unit() and "TimeoutStartSec=infinity" in unit()


def test_the_secured_units_files_and_variables_are_those_that_the_broker_takes(tmp_path):
    text = (DEPLOY / "systemd/secure.conf").read_text()
    loaded = dict(re.findall(r"^LoadCredential=([\w.]+):(.*)$", text, re.M))
    variables = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.M))
    assert {value.removeprefix("%d/") for value in variables.values() if "%d" in value} == set(loaded)
    assert all(path == f"/etc/ackd/{name}" for name, path in loaded.items())
    subprocess.run([DEPLOY / "secrets.sh", tmp_path], check=True, capture_output=True,
                   env=os.environ | {"ACKCTL": str(BUILD / "cli/ackctl")})
    taken = {name: value.replace("%d", str(tmp_path)) for name, value in variables.items()
             if name != "ACKD_LISTEN"}
    assert variables["ACKD_LISTEN"] == "0.0.0.0:7333"
    context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    with Unready(tmp_path / "broker", environment=taken) as broker:
        wait_until(lambda: answers(broker.port, context) == 401, "it speaks TLS and wants a token")


class Unready(Broker):
    """Asked for readiness without TLS it would never be."""

    def _ready_or_ended(self) -> bool:
        return True


def answers(port: int, context: ssl.SSLContext) -> int | None:
    """The status of /metrics; None: nobody answers yet."""
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


# compose

def services() -> dict[str, dict]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def test_compose_has_broker_database_and_two_workers_with_flags_that_they_know():
    ours = {name: each for name, each in services().items() if "build" in each}
    assert sorted(services()) == ["broker", "postgres", "worker-1", "worker-2"]
    for name, service in ours.items():
        program = PROGRAMS[service["image"].split(":")[0]]
        shown = subprocess.run([program, "--help"], check=True, capture_output=True,
                               text=True).stdout
        for argument in service["command"]:
            if argument.startswith("--"):
                flag = argument.split("=")[0]
                assert re.search(rf"(?<!\S){flag}(?![\w-])", shown), (name, flag)
        target = service["build"]["target"]
        assert f" AS {target}\n" in (DEPLOY / "Dockerfile").read_text()


def test_in_compose_only_this_machine_reaches_the_broker_and_nobody_the_database():
    for name, service in services().items():
        assert [port for port in service.get("ports", [])
                if not port.startswith("127.0.0.1:")] == []
    assert "ports" not in services()["postgres"]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert services()["postgres"]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"] is True


def test_in_compose_a_drain_fits_into_the_time_that_stop_gives():
    for name in ("worker-1", "worker-2"):
        service = services()[name]
        grace, = [each for each in service["command"] if each.startswith("--grace-ms=")]
        assert int(grace.split("=")[1]) / 1000 < int(service["stop_grace_period"].rstrip("s"))
