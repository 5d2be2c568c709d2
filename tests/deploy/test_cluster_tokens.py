# SPDX-License-Identifier: Apache-2.0
"""Workers that show the tokens of the cluster: what the two sides must agree on, and a broker that
is run with the manifests' own config, against an issuer whose key is ours."""
import fnmatch
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from broker import Broker
from manifests import (BROKER_ROOTS, WORKER_ROOTS, brokers, container_of, environment_of, flags_of,
                       needs_kubectl, pod_of, render, workers)
from processes import BUILD, SOURCE

sys.path.append(str(SOURCE / "tests/auth"))

from issuer import Issuer, Key, KeyServer  # noqa: E402

pytestmark = needs_kubectl

ACKCTL = BUILD / "cli/ackctl"
REFUSED = 1


def sources_of(workload: dict, kind: str) -> list[tuple[str, dict]]:
    """(path in the container, source) of each source of that kind in a projected volume."""
    mounts = {each["name"]: each for each in container_of(workload)["volumeMounts"]}
    found = []
    for volume in pod_of(workload).get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            if kind in source:
                assert "subPath" not in mounts[volume["name"]], "it would never be renewed"
                found.append((mounts[volume["name"]]["mountPath"], source[kind]))
    return found


def tokens_of(workload: dict) -> list[tuple[str, dict]]:
    """(the file in the container, the projection) of each service account's token."""
    return [(f"{path}/{each['path']}", each)
            for path, each in sources_of(workload, "serviceAccountToken")]


TRUSTED = [(root, worker) for root in WORKER_ROOTS for worker in workers(root)
           if tokens_of(worker)]
TRUSTING = [(root, broker) for root in BROKER_ROOTS for broker in brokers(root)
            if "--auth-config" in flags_of(container_of(broker))]
by_root = {"ids": lambda each: each if isinstance(each, str) else ""}


def config_of(root: str, broker: dict) -> dict:
    """What the ConfigMap puts at the path of the flag."""
    mounts = {each["mountPath"]: each["name"] for each in container_of(broker)["volumeMounts"]}
    volumes = {each["name"]: each for each in pod_of(broker)["volumes"]}
    path = Path(flags_of(container_of(broker))["--auth-config"])
    volume = volumes[mounts[str(path.parent)]]
    return json.loads(render(root)["ConfigMap", volume["configMap"]["name"]]["data"][path.name])


def cluster_of(config: dict) -> dict:
    issuer, = config["issuers"]
    return issuer


def subject_of(workload: dict) -> str:
    return (f"system:serviceaccount:{workload['metadata']['namespace']}:"
            f"{pod_of(workload)['serviceAccountName']}")


def test_there_are_both_sides():
    assert {root for root, _ in TRUSTED} and {root for root, _ in TRUSTING}


@pytest.mark.parametrize("root, worker", TRUSTED, **by_root)
def test_a_worker_shows_its_token_and_no_secret(root, worker):
    (path, token), = tokens_of(worker)
    assert environment_of(container_of(worker))["ACKD_TOKEN_FILE"] == path
    assert 600 <= token["expirationSeconds"] <= 3600
    secrets = [each["name"] for _, each in sources_of(worker, "secret")]
    assert secrets == ["ackd-tls"], "the CA is no secret, but a token beside it would be"


@pytest.mark.parametrize("root, worker", TRUSTED, **by_root)
def test_audience_subject_and_grants_are_what_the_broker_takes(root, worker):
    (_, token), = tokens_of(worker)
    *_, queue = container_of(worker)["args"]
    for broker_root, broker in TRUSTING:
        cluster = cluster_of(config_of(broker_root, broker))
        assert token["audience"] == cluster["audience"]
        grants = [grant for each in cluster["subjects"] for grant in each["grants"]
                  if fnmatch.fnmatchcase(subject_of(worker), each["subject"])]
        rights = [right for grant in grants for right in grant.partition(":")[0].split(",")
                  if fnmatch.fnmatchcase(queue, grant.partition(":")[2])]
        assert rights == ["work"], "this, and nothing more"


@pytest.mark.parametrize("root, broker", TRUSTING, **by_root)
def test_the_broker_finds_what_its_config_names(root, broker):
    cluster = cluster_of(config_of(root, broker))
    (token_path, token), = tokens_of(broker)
    (folder, ca), = sources_of(broker, "configMap")
    assert cluster["token_file"] == token_path
    assert "audience" not in token, "it is for the API server"
    assert cluster["ca_file"] == f"{folder}/{ca['items'][0]['path']}"
    assert cluster["jwks_url"].startswith("https://")
    assert "--admin-token-file" in flags_of(container_of(broker)), "somebody makes the queues"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An API server's keys."""
    key = Key(tmp_path_factory.mktemp("keys"), "cluster")
    issuer = Issuer(cluster_of(config_of(*TRUSTING[0]))["issuer"], key)
    issuer.server = KeyServer(issuer.jwks())
    yield issuer
    issuer.server.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory, cluster):
    """Runs with the rendered config, of which only the API server's address is another."""
    folder = tmp_path_factory.mktemp("broker")
    config = config_of(*TRUSTING[0])
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text("the-brokers-own")
    cluster_of(config).pop("ca_file")
    cluster_of(config).update(jwks_url=cluster.server.url, token_file=str(folder / "token"))
    (folder / "auth-config.json").write_text(json.dumps(config))
    *_, queue = container_of(TRUSTED[0][1])["args"]
    with Broker(folder) as plain:
        plain.call("QueueService/Create", name=queue)
        plain.call("TaskService/Publish", queue=queue, tasks=[{"taskId": "a"}])
        assert plain.stop() == 0
    with Broker(folder, "--auth-config", str(folder / "auth-config.json")) as running:
        running.queue = queue
        yield running


def ackctl(broker: Broker, tmp_path: Path, token: str, *arguments) -> subprocess.CompletedProcess:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(token)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACKD_")}
    return subprocess.run([ACKCTL, "--url", broker.url, *arguments], capture_output=True, text=True,
                          input="one line\n", timeout=60, check=False, env={**kept, "ACKD_TOKEN_FILE": str(file)})


def test_the_workers_account_gets_work_and_nothing_else(broker, cluster, tmp_path):
    token = cluster.token(subject_of(TRUSTED[0][1]))
    worked = ackctl(broker, tmp_path, token, "work", broker.queue, "--until-empty", "--", "cat")
    assert worked.returncode == 0, worked.stderr
    assert cluster.server.asked[0] == "Bearer the-brokers-own"
    told = json.loads(ackctl(broker, tmp_path, token, "whoami", "-o", "json").stdout)
    assert told["kind"] == "CALLER_KIND_JWT" and told["grants"] == ["work:*"]
    published = ackctl(broker, tmp_path, token, "publish", broker.queue, "-f", "lines", "-")
    assert published.returncode == REFUSED and "right publish is missing" in published.stderr


@pytest.mark.parametrize("subject, changes, says", [
    ("system:serviceaccount:ackd:default", {}, "missing"),
    ("system:serviceaccount:other:ackd-worker", {}, "missing"),
    ("system:serviceaccount:ackd:ackd-worker", {"aud": ["https://kubernetes.default.svc"]},
     "not valid"),
    ("system:serviceaccount:ackd:ackd-worker", {"iss": "https://elsewhere"}, "not valid"),
    ("system:serviceaccount:ackd:ackd-worker", {"exp": 1_700_000_000}, "not valid")])
def test_others_get_nothing(broker, cluster, tmp_path, subject, changes, says):
    done = ackctl(broker, tmp_path, cluster.token(subject, **changes), "lease", broker.queue)
    assert done.returncode == REFUSED and says in done.stderr
