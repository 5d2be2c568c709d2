# SPDX-License-Identifier: Apache-2.0
"""kubelet.py -- what the kubelet does with a pod of ours, done to a process on this machine.

A container's command runs exactly as its manifest says, in a process of its own with the manifest's
user, group, capabilities and environment and nothing else; or, of a ContainerPod, in a container of
its image. Exchanged are only names that a cluster would resolve: the port is a free one, the
broker's Service is its address, and without a container a volume's path is a directory of the
test. Probes, restarts and the way a pod ends are the kubelet's: SIGTERM, the grace, SIGKILL.
"""
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from containers import Container
from manifests import container_of, pod_of, program_of
from processes import BUILD, SOURCE, Process, free_port, wait_until

# So that the kubelet's seconds fit into a test's: probes and their timeouts run faster by it.
HASTE = 10
# What the Downward API tells a pod besides its name.
NAMESPACE, NODE = "ackd", "node-of-the-test"


class Volumes:
    """Directories that outlive pods, by the path that they are mounted at; and the cluster's
    secrets, as deploy/secrets.sh makes them."""

    def __init__(self):
        # Not pytest's, which only its own user may enter.
        self.root = Path(tempfile.mkdtemp(prefix="ackd-volumes-"))
        self.root.chmod(0o755)
        self.secrets = self.root / "secrets"
        subprocess.run([SOURCE / "deploy/secrets.sh", self.secrets], check=True,
                       capture_output=True, env=os.environ | {"ACKCTL": str(BUILD / "cli/ackctl")})

    def secret(self, mount_path: str, volume: dict, group: int) -> Path:
        """A volume of secrets with its files, readable as the manifest says."""
        path = self.directory(mount_path, 0, group)
        mode = volume.get("projected", volume.get("secret"))["defaultMode"]
        sources = [each["secret"] for each in volume.get("projected", {}).get("sources", [])]
        names = ([item["key"] for source in sources for item in source["items"]] or
                 {"ackd-tls": ["ca.crt", "tls.crt", "tls.key"], "ackd-admin": ["token"]}
                 [volume["secret"]["secretName"]])
        for name in names:
            if not (path / name).exists():
                shutil.copy(self.secrets / name, path / name)
                if os.geteuid() == 0:
                    shutil.chown(path / name, group=group)
                (path / name).chmod(mode)
        return path

    def directory(self, mount_path: str, user: int, group: int) -> Path:
        """As fresh as the cluster would give it to a pod of that user and fsGroup."""
        path = self.root / mount_path.strip("/").replace("/", "-")
        if not path.exists():
            path.mkdir()
            if os.geteuid() == 0:
                shutil.chown(path, user=user, group=group)
                path.chmod(0o2770)
        return path

    def remove(self) -> None:
        shutil.rmtree(self.root)


class Pod:
    """One pod of a workload. `place` says where names lead: {"http://ackd:7333": url}."""

    def __init__(self, workload: dict, name: str, volumes: Volumes, log: Path,
                 place: dict[str, str] | None = None, environment: dict[str, str] | None = None):
        self.spec = pod_of(workload)
        self.container = container_of(workload)
        self.name = name
        self.log = log
        self.port = free_port()
        self.secrets = volumes.secrets
        self.starts = 0
        self.process: Process | None = None
        self._place = dict(place or {})
        self._place["0.0.0.0:7333"] = f"127.0.0.1:{self.port}"
        self._place["localhost:7333"] = f"localhost:{self.port}"
        self._mounted: dict[str, Path] = {}
        given = {each["name"]: each for each in self.spec.get("volumes", [])}
        group = self.spec["securityContext"].get("fsGroup", 0)
        for mount in self.container.get("volumeMounts", []):
            path, volume = mount["mountPath"], given.get(mount["name"], {})
            self._mounted[path] = (
                volumes.secret(path, volume, group) if volume.keys() & {"secret", "projected"}
                else volumes.directory(path, self._mounted_for(mount["name"]), group))
        self._environment = environment or {}

    def start(self) -> None:
        self.process = self._started()
        self.starts += 1

    def await_started(self) -> None:
        """Probes until it has started, within as many tries as the manifest gives it."""
        probe = self.container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            if self.holds("startupProbe"):
                return
            assert self.process.exit_code() is None, self.process.log_end()
            time.sleep(probe["periodSeconds"] / HASTE / HASTE)
        raise AssertionError(f"never started:\n{self.process.log_end()}")

    def holds(self, probe: str) -> bool:
        """Whether the container passes that probe now."""
        rules = self.container[probe]
        assert rules["httpGet"]["scheme"] == "HTTPS"
        anybody = ssl.create_default_context()  # the kubelet does not ask who answers
        anybody.check_hostname = False
        anybody.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=anybody,
                                                 timeout=rules.get("timeoutSeconds", 1))
        try:
            connection.request("GET", rules["httpGet"]["path"])
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def call(self, method: str, **request) -> dict:
        """A call of the operator, who believes the CA and shows the token."""
        trust = ssl.create_default_context(cafile=self.secrets / "ca.crt")
        token = (self.secrets / "token").read_text().strip()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=trust, timeout=60)
        try:
            connection.request("POST", f"/ackd.v1.{method}", json.dumps(request), {
                "Content-Type": "application/json", "Authorization": f"Bearer {token}"})
            reply = connection.getresponse()
            body = reply.read()
            assert reply.status == 200, body
            return json.loads(body)
        finally:
            connection.close()

    def end(self, notice_s: float | None = None) -> tuple[int, float]:
        """As for a deleted pod, or on a machine that goes away in `notice_s`: SIGTERM, the grace,
        SIGKILL. The exit code, and how long it took."""
        grace_s = min(self.spec["terminationGracePeriodSeconds"], notice_s or float("inf"))
        began = time.monotonic()
        self.process.signal(signal.SIGTERM)
        try:
            code = self.process.wait(grace_s)
        except Exception as late:
            self.process.kill()
            raise AssertionError(f"killed after {grace_s} s:\n{self.process.log_end()}") from late
        return code, time.monotonic() - began

    def _mounted_for(self, volume: str) -> int:
        """The user that a driver makes the owner, if it is told one."""
        for each in self.spec.get("volumes", []):
            if each["name"] == volume and "csi" in each:
                options = each["csi"]["volumeAttributes"].get("mountOptions", "")
                return int(dict(option.partition("=")[::2] for option in options.split(","))
                           .get("uid", 0))
        return 0

    def _started(self) -> Process:
        rules = self.spec["securityContext"]
        nobody = []
        if os.geteuid() == 0:
            nobody = ["--reuid", rules["runAsUser"], "--regid", rules["runAsGroup"],
                      "--groups", rules.get("fsGroup", rules["runAsGroup"]),
                      "--bounding-set=-all", "--inh-caps=-all"]
        self._place |= {path: str(place) for path, place in self._mounted.items()}
        return Process(["setpriv", *nobody, "--no-new-privs", "--pdeathsig", "KILL", "--",
                        program_of(self.container), *self._arguments()],
                       self.log, env=self.variables(), cwd="/")

    def _arguments(self) -> list[str]:
        return [self._exchanged(each.replace("$(ACKD_POD_NAME)", self.name))
                for each in self.container["args"]]

    def variables(self) -> dict[str, str]:
        """What any program in its container finds in its environment."""
        return inherited() | self._variables()

    def _told(self, field: str) -> str:
        """What the Downward API says."""
        return {"metadata.name": self.name, "metadata.namespace": NAMESPACE,
                "spec.nodeName": NODE}[field]

    def _variables(self) -> dict[str, str]:
        values = {}
        for each in self.container.get("env", []):
            field = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            values[each["name"]] = (self._told(field) if field
                                    else self._exchanged(each["value"]))
        return values | self._environment

    def _exchanged(self, text: str) -> str:
        for name, value in self._place.items():
            text = text.replace(name, value)
        return text


class ContainerPod(Pod):
    """A pod whose container is one of its image, locked in as the manifest has it."""

    def _started(self) -> Process:
        rules, pod = self.container["securityContext"], self.spec["securityContext"]
        flags = [f"--user={pod['runAsUser']}:{pod['runAsGroup']}",
                 f"--group-add={pod.get('fsGroup', pod['runAsGroup'])}",
                 *(f"--cap-drop={each}" for each in rules["capabilities"]["drop"])]
        if rules["readOnlyRootFilesystem"]:
            flags += ["--read-only", "--read-only-tmpfs=false"]
        if not rules["allowPrivilegeEscalation"]:
            flags += ["--security-opt=no-new-privileges"]
        for mount in self.container.get("volumeMounts", []):
            mode = "ro" if mount.get("readOnly") else "rw"
            path = mount["mountPath"]
            flags.append(f"--volume={self._mounted[path]}:{path}:{mode}")
        flags += [f"--env={name}={value}" for name, value in self._variables().items()]
        return Container(self.container["image"], self._arguments(), self.log, flags)


def inherited() -> dict[str, str]:
    """What a program of this machine needs besides; an image has its own."""
    kept = ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
    return {"PATH": os.defpath} | {name: os.environ[name] for name in kept if name in os.environ}


class Kubelet:
    """Keeps a pod running: restarts its container when it ends or fails its liveness probe, and
    says whether it is ready. Use it with `with`; `lose_node` takes away machine and kubelet."""

    def __init__(self, pod: Pod):
        self.pod = pod
        self.ready = False
        self.killed_for_liveness = 0
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Kubelet":
        self.pod.start()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.lose_node()

    def await_ready(self) -> None:
        wait_until(lambda: self.ready, f"{self.pod.name} is ready\n{self.pod.process.log_end()}")

    def delete_pod(self) -> tuple[int, float]:
        """The exit code of the container, and how long it took."""
        self._stop_looking()
        return self.pod.end()

    def lose_node(self) -> None:
        """Nobody is told, nothing is flushed."""
        self._stop_looking()
        self.pod.process.kill()

    def _stop_looking(self) -> None:
        self._gone.set()
        self._thread.join()
        self.ready = False

    def _run(self) -> None:
        due = {"livenessProbe": 0.0, "readinessProbe": 0.0}
        failures, started = 0, False
        while not self._gone.wait(0.01):
            if self.pod.process.exit_code() is not None:
                self.ready, started, failures = False, False, 0
                self.pod.start()
                continue
            if not started:
                started = self.pod.holds("startupProbe")
                continue
            now = time.monotonic()
            for probe in [name for name, at in due.items() if now >= at]:
                due[probe] = now + self.pod.container[probe]["periodSeconds"] / HASTE
                holds = self._holds_in_haste(probe)
                if probe == "readinessProbe":
                    self.ready = holds
                    continue
                failures = 0 if holds else failures + 1
                if failures >= self.pod.container[probe]["failureThreshold"]:
                    self._kill_for_liveness()

    def _holds_in_haste(self, probe: str) -> bool:
        rules = self.pod.container[probe]
        hasty = {**rules, "timeoutSeconds": rules.get("timeoutSeconds", 1) / HASTE}
        whole, self.pod.container = self.pod.container, {**self.pod.container, probe: hasty}
        try:
            return self.pod.holds(probe)
        finally:
            self.pod.container = whole

    def _kill_for_liveness(self) -> None:
        self.killed_for_liveness += 1
        self.pod.process.signal(signal.SIGTERM)
        try:
            self.pod.process.wait(self.pod.spec["terminationGracePeriodSeconds"] / HASTE / 6)
        except Exception:  # the grace is over
            self.pod.process.kill()
