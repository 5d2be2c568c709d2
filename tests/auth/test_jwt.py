# SPDX-License-Identifier: Apache-2.0
"""test_jwt.py -- tokens of an issuer (JWT): what gets in by them, and all that must not.

The refusals are told apart by the log alone: the caller hears the same words each time.
"""
import json
import signal
import subprocess
import time

import pytest
from conftest import Caller, Guarded
from issuer import Issuer, Key, KeyServer, forged
from processes import BUILD, SOURCE, wait_until
from prometheus import promtool

WORKER = "system:serviceaccount:inference:ocr-worker"
CLUSTER = "https://kubernetes.default.svc.cluster.local"
SECOND = "https://second.example"
PAST, SOON = int(time.time()) - 61, int(time.time()) + 600  # both beyond the skew of a minute


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    made = {}

    def key(key_id: str, kind: str = "RSA", bits: int = 2048) -> Key:
        name = (key_id, kind, bits)
        if name not in made:
            made[name] = Key(folder, key_id, kind, bits)
        return made[name]
    return key


class Trusting(Guarded):
    """A broker with a config of whom to believe."""

    def __init__(self, directory, config: dict, *flags, **options):
        directory.mkdir(parents=True, exist_ok=True)
        self.config_file = directory / "auth.json"
        self.configure(config)
        super().__init__(directory, "--auth-config", str(self.config_file), *flags, **options)

    def configure(self, config: dict) -> None:
        """As a mounted ConfigMap changes: another file under the name, at once."""
        beside = self.config_file.with_suffix(".beside")
        beside.write_text(json.dumps(config))
        beside.rename(self.config_file)

    def events(self, name: str) -> list[dict]:
        return [line for line in self.log_lines() if line["event"] == name]


def entry(issuer: Issuer, source: dict, subject: str = "system:serviceaccount:inference:*",
          grants: tuple = ("work:ocr-*",), **more) -> dict:
    return {"issuer": issuer.name, "audience": issuer.audience,
            "subjects": [{"subject": subject, "grants": list(grants)}], **source, **more}


@pytest.fixture(scope="module")
def cluster(keys):
    return Issuer(CLUSTER, keys("main"), keys("curve", "P-256"))


@pytest.fixture(scope="module")
def second(keys):
    """Another issuer, whose keys have the IDs of the first's."""
    return Issuer(SECOND, keys("main", bits=3072), keys("curve", "P-384"))


@pytest.fixture(scope="module")
def trusting(tmp_path_factory, cluster, second):
    folder = tmp_path_factory.mktemp("trusting")
    files = {}
    for name, issuer in (("cluster", cluster), ("second", second)):
        files[name] = folder / f"{name}.json"
        files[name].write_text(json.dumps(issuer.jwks()))
    config = {"issuers": [
        entry(cluster, {"jwks_file": str(files["cluster"])},
              algorithms=["RS256", "ES256", "PS256"]),
        entry(second, {"jwks_file": str(files["second"])}, "robot", ("read:other",),
              algorithms=["RS256", "ES384"], clock_skew_s=0)]}
    with Trusting(folder / "broker", config) as running:
        for name in ("ocr-1", "other"):
            running.admin.ok("QueueService/Create", name=name)
        yield running


def known_as(caller: Caller) -> str:
    return caller.ok("AdminService/Whoami")["name"]


def is_refused(caller: Caller) -> str:
    reply = caller.call("AdminService/Whoami")
    assert (reply.status, reply.code) == (401, "unauthenticated"), reply.text
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    return reply.message


def test_a_service_account_may_what_its_subject_is_granted(trusting, cluster):
    caller = trusting.caller(cluster.token(WORKER))
    assert known_as(caller) == f"jwt:{WORKER}"
    assert caller.call("TaskService/Lease", queue="ocr-1").status == 200
    assert caller.call("TaskService/Lease", queue="other").code == "permission_denied"
    assert caller.call("TaskService/Publish", queue="ocr-1", tasks=[{}]).code == "permission_denied"
    assert caller.call("TokenService/List").code == "permission_denied"


@pytest.mark.parametrize("key_id, kind, algorithm", [("main", "RSA", "RS256"),
                                                     ("main", "RSA", "PS256"),
                                                     ("curve", "P-256", "ES256")])
def test_each_algorithm_that_is_taken(trusting, cluster, keys, key_id, kind, algorithm):
    token = cluster.token(WORKER, keys(key_id, kind), algorithm)
    assert known_as(trusting.caller(token)) == f"jwt:{WORKER}"


def test_a_subject_without_a_mapping_may_nothing(trusting, cluster):
    caller = trusting.caller(cluster.token("system:serviceaccount:default:stranger"))
    assert caller.ok("AdminService/Whoami").get("grants", []) == []
    assert caller.call("TaskService/Lease", queue="ocr-1").code == "permission_denied"
    assert caller.call("QueueService/List").code == "permission_denied"


def test_an_audience_may_be_one_name(trusting, cluster):
    assert known_as(trusting.caller(cluster.token(WORKER, aud="ackd")))
    assert known_as(trusting.caller(cluster.token(WORKER, aud=["vault", "ackd"])))


def test_forgeries_are_refused_all_in_the_same_words(trusting, cluster, keys):
    good = cluster.token(WORKER)
    words = {}
    for name, token in forged(good, keys("main").public_pem).items():
        words[name] = is_refused(trusting.caller(token))
    assert len(set(words.values())) == 1, words
    assert known_as(trusting.caller(good))


def test_the_log_says_why_and_nothing_that_was_not_signed(trusting, cluster):
    token = cluster.token(WORKER, aud=["vault"])
    forged_one = cluster.token("forger", iss=SECOND)
    for refused, reason, subject in ((token, "aud", WORKER), (forged_one, "signature", None)):
        said = len(trusting.events("jwt_refused"))

        def is_told():
            is_refused(trusting.caller(refused))
            return [event for event in trusting.events("jwt_refused")[said:]
                    if reason in event["reason"]]
        [event] = wait_until(is_told, reason)
        assert event.get("subject") == subject
        assert refused.split(".")[2] not in json.dumps(event)


@pytest.mark.parametrize("changes", [
    {"aud": ["vault"]}, {"exp": PAST}, {"exp": None}, {"nbf": SOON}, {"iat": SOON},
    {"sub": "a\nb"}, {"iss": "https://evil"}, {"aud": []}, {"aud": None}, {"aud": {"ackd": 1}}, {"aud": "ackd "}, {"aud": ["x"] * 65 + ["ackd"]},
    {"exp": "tomorrow"}, {"exp": -1}, {"exp": 1e300}, {"nbf": "now"}, {"iat": 4e9}, {"iat": []},
    {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 481}, {"iss": None}, {"iss": CLUSTER + "/"},
    {"iss": [CLUSTER]}])
def test_claims_that_are_not_what_they_should_be(trusting, cluster, changes):
    is_refused(trusting.caller(cluster.token(WORKER, **changes)))


@pytest.mark.parametrize("header", [
    {"crit": ["exp"]}, {"crit": []}, {"kid": None}, {"kid": "other"}, {"kid": 7}, {"kid": "curve"},
    {"alg": 256}, {"alg": "rs256"}])
def test_headers_that_are_not_what_they_should_be(trusting, cluster, header):
    is_refused(trusting.caller(cluster.token(WORKER, header=header)))


def test_a_key_that_the_token_brings_along_is_not_used(trusting, cluster, keys, tmp_path):
    mine = Key(tmp_path, "mine")
    server = KeyServer({"keys": [mine.jwk()]})
    for header in ({"jwk": mine.jwk()}, {"jku": server.url}, {"x5u": server.url},
                   {"jwk": mine.jwk(), "kid": "main"}):
        is_refused(trusting.caller(cluster.token(WORKER, mine, header=header)))
    server.close()
    assert server.asked == []


def test_an_algorithm_that_the_config_does_not_take_is_refused(trusting, cluster, second, keys):
    is_refused(trusting.caller(cluster.token(WORKER, algorithm="RS512")))
    is_refused(trusting.caller(second.token("robot", algorithm="PS256")))


def test_no_issuer_speaks_for_another(trusting, cluster, second, keys):
    """The IDs of their keys are the same."""
    assert known_as(trusting.caller(second.token("robot"))) == "jwt:robot"
    is_refused(trusting.caller(cluster.token(WORKER, iss=second.name)))
    is_refused(trusting.caller(second.token(WORKER, iss=cluster.name)))
    is_refused(trusting.caller(second.token("robot", keys("curve", "P-256"), "ES256")))
    other = trusting.caller(second.token(WORKER))
    assert other.call("TaskService/Lease", queue="ocr-1").code == "permission_denied"


def test_oversized_tokens_are_refused(trusting, cluster):
    is_refused(trusting.caller(cluster.token(WORKER, more="x" * 9000)[:-1] + "%"))
    reply = trusting.caller(cluster.token(WORKER, more="x" * 14000)).call("AdminService/Whoami")
    assert reply.status == 431


def test_a_token_ends_though_it_is_remembered(trusting, second):
    token = second.token("robot", exp=int(time.time()) + 2)
    caller = trusting.caller(token)
    assert known_as(caller) == known_as(caller) == "jwt:robot"
    wait_until(lambda: caller.call("AdminService/Whoami").status == 401, "it expires")


def test_a_token_is_checked_once_and_tells_its_pod(trusting, cluster):
    pod = {"namespace": "inference", "pod": {"name": "ocr-worker-7", "uid": "1"},
           "node": {"name": "node-3", "uid": "2"}}
    token = cluster.token("system:serviceaccount:inference:told", **{"kubernetes.io": pod})
    for _ in range(3):
        known_as(trusting.caller(token))
    [event] = [event for event in trusting.events("jwt_accepted")
               if event["subject"].endswith(":told")]
    assert (event["pod"], event["node"]) == ("ocr-worker-7", "node-3")


def test_our_own_tokens_go_on_beside(trusting):
    assert known_as(trusting.with_grants("read:a")).startswith("token:")
    is_refused(trusting.nobody)
    is_refused(trusting.caller("ackd_" + "a" * 56))


# ---- keys that change ----

@pytest.fixture
def trusting_with(tmp_path):
    brokers = []

    def start(config: dict) -> Trusting:
        running = Trusting(tmp_path / f"broker-{len(brokers)}", config)
        brokers.append(running)
        return running.__enter__()

    yield start
    for running in brokers:
        running.__exit__()


@pytest.fixture
def serve():
    servers = []

    def start(*arguments) -> KeyServer:
        servers.append(KeyServer(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def comes_in(broker: Trusting, token: str) -> bool:
    return broker.caller(token).call("AdminService/Whoami").status == 200


def test_a_rotated_key_is_picked_up_and_a_withdrawn_one_forgotten(trusting_with, serve, keys):
    issuer = Issuer(CLUSTER, keys("first"))
    server = serve(issuer.jwks())
    broker = trusting_with({"issuers": [entry(issuer, {"jwks_url": server.url}, refresh_s=3600)]})
    old = issuer.token(WORKER)
    wait_until(lambda: comes_in(broker, old), "the keys have come")
    asked = len(server.asked)
    for _ in range(3):  # a token that is good tells nothing of new keys
        assert comes_in(broker, issuer.token(WORKER))
    assert len(server.asked) == asked
    issuer.keys = [keys("next")]
    server.publish(issuer.jwks())
    new = broker.caller(issuer.token(WORKER))
    assert new.call("AdminService/Whoami").code == "unavailable"  # which a worker tries again
    wait_until(lambda: comes_in(broker, issuer.token(WORKER)), "the new key is known")
    is_refused(broker.caller(old))  # its key was withdrawn, though it was remembered
    assert len(server.asked) == asked + 1
    for n in range(5):  # nobody can make the broker ask again and again
        is_refused(broker.caller(issuer.token(WORKER, header={"kid": f"none-{n}"})))
    assert len(server.asked) == asked + 1


def test_keys_that_have_not_come_yet_are_not_the_callers_fault(trusting_with, serve, keys):
    issuer = Issuer(CLUSTER, keys("first"))
    server = serve(issuer.jwks())
    server.status = 503
    broker = trusting_with({"issuers": [entry(issuer, {"jwks_url": server.url}, refresh_s=1)]})
    reply = broker.caller(issuer.token(WORKER)).call("AdminService/Whoami")
    assert (reply.status, reply.code) == (503, "unavailable")
    assert "WWW-Authenticate" not in reply.headers
    assert broker.caller(issuer.token(WORKER)).call("TokenService/List").code == "unavailable"
    told = [line["event"] for line in broker.log_lines() if line["level"] == "audit"]
    assert told == ["login_refused"] * 2  # and no administrator's call
    is_refused(broker.caller(issuer.token(WORKER, iss="https://evil")))
    server.status = 200
    wait_until(lambda: comes_in(broker, issuer.token(WORKER)), "the keys have come")
    server.status = 503  # the next keys can't come: whether they would be these nobody knows
    wait_until(lambda: len(broker.events("issuer_keys_kept")) == 2, "they can't be fetched again")
    other = broker.caller(issuer.token(WORKER, keys("next")))
    assert other.call("AdminService/Whoami").code == "unavailable"


def harmed(server: KeyServer, harm: str, elsewhere: str) -> None:
    server.headers = [("Location", elsewhere)]
    server.status = {"error": 500, "redirect": 302}.get(harm, 200)
    server.body = {"garbage": b"<html>", "empty": b'{"keys": []}',
                   "large": b" " * (1 << 20) + server.body}.get(harm, server.body)


def test_a_failed_fetch_keeps_the_keys_and_is_told_once(trusting_with, serve, keys):
    harms = ("error", "garbage", "empty", "large", "redirect")
    issuers = [Issuer(f"https://{harm}", keys("first")) for harm in harms]
    servers = [serve(issuer.jwks()) for issuer in issuers]
    broker = trusting_with({"issuers": [
        entry(issuer, {"jwks_url": server.url}, refresh_s=1)
        for issuer, server in zip(issuers, servers)]})
    for issuer in issuers:
        wait_until(lambda: comes_in(broker, issuer.token(WORKER)), "the keys have come")
    elsewhere = serve(Issuer("", keys("next")).jwks())
    for server, harm in zip(servers, harms):
        harmed(server, harm, elsewhere.url)
    asked = [len(server.asked) for server in servers]
    wait_until(lambda: all(len(server.asked) >= before + 2
                           for server, before in zip(servers, asked)), "they are asked again")
    kept = broker.events("issuer_keys_kept")
    assert sorted(event["issuer"] for event in kept) == sorted(issuer.name for issuer in issuers)
    assert all(event["keys"] == 1 and server.url in event["reason"] for server in servers
               for event in kept if event["issuer"] == issuers[servers.index(server)].name)
    assert all(comes_in(broker, issuer.token(WORKER)) for issuer in issuers)
    assert elsewhere.asked == []


def test_keys_are_fetched_by_https_from_whom_the_ca_knows(trusting_with, serve, keys, tmp_path):
    from authority import Authority
    issuer = Issuer(CLUSTER, keys("first"))
    ca, other = Authority(tmp_path, "ca"), Authority(tmp_path, "other")
    server = serve(issuer.jwks(), ca.issue("apiserver"))
    shown = tmp_path / "token"
    shown.write_text("who-i-am\n")
    right, wrong = (entry(issuer, {"jwks_url": server.url, "ca_file": str(authority.certificate),
                                   "token_file": str(shown), "refresh_s": 1})
                    for authority in (ca, other))
    broker = trusting_with({"issuers": [wrong]})
    wait_until(lambda: broker.events("issuer_keys_kept"), "the server is not believed")
    assert server.asked == []
    broker.configure({"issuers": [right]})
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: comes_in(broker, issuer.token(WORKER)), "the keys have come")
    assert server.asked[0] == "Bearer who-i-am"


def test_a_file_of_keys_is_read_again_and_a_broken_one_changes_nothing(trusting_with, tmp_path,
                                                                       keys):
    issuer = Issuer(CLUSTER, keys("first"))
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(issuer.jwks()))
    broker = trusting_with({"issuers": [entry(issuer, {"jwks_file": str(file)})]})
    old = issuer.token(WORKER)
    assert comes_in(broker, old)
    file.write_text("{")
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: broker.events("issuer_keys_kept"), "it is refused")
    assert comes_in(broker, old)
    issuer.keys = [keys("next")]
    file.write_text(json.dumps(issuer.jwks()))
    wait_until(lambda: comes_in(broker, issuer.token(WORKER)), "the new key is known")
    assert not comes_in(broker, old)


def test_the_config_is_read_again_and_a_broken_one_changes_nothing(trusting_with, tmp_path, keys):
    issuer = Issuer(CLUSTER, keys("first"))
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(issuer.jwks()))
    source = {"jwks_file": str(file)}
    broker = trusting_with({"issuers": [entry(issuer, source)]})
    broker.admin.ok("QueueService/Create", name="b")
    caller = broker.caller(issuer.token(WORKER))
    assert caller.call("TaskService/Lease", queue="b").code == "permission_denied"
    broker.configure({"issuers": [entry(issuer, source, grants=("work:b",))]})
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: caller.call("TaskService/Lease", queue="b").status == 200, "it is read")
    broker.configure({"issuers": [entry(issuer, source, grants=("work",))]})
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: broker.events("auth_config_kept"), "it is refused")
    assert "issuers[0].subjects[0].grants" in broker.events("auth_config_kept")[0]["reason"]
    assert caller.call("TaskService/Lease", queue="b").status == 200
    broker.configure({"certificates": [{"san": "DNS:x", "grants": ["read:*"]}]})
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: not comes_in(broker, issuer.token(WORKER)), "the issuer is not believed")
    assert broker.stop() == 0


# ---- what is said of it ----

def test_the_example_is_a_config_and_its_members_are_explained(trusting_with):
    example = json.loads((SOURCE / "deploy/auth-config.json").read_text())
    broker = trusting_with(example)
    assert broker.nobody.call("QueueService/List").status == 401
    security = (SOURCE / "SECURITY.md").read_text()
    for member in [*example["issuers"][0], "jwks_file", "clock_skew_s", "refresh_s"]:
        assert f"`.{member}`" in security or f"`.{member}[]`" in security, member


def test_the_keys_are_in_the_metrics(trusting):
    text = trusting.admin.get("/metrics").text
    rows = dict(line.rsplit(" ", 1) for line in text.splitlines() if "ackd_issuer" in line
                and not line.startswith("#"))
    assert rows[f'ackd_issuer_keys{{issuer="{CLUSTER}"}}'] == "2"
    assert rows[f'ackd_issuer_keys_failures_total{{issuer="{CLUSTER}"}}'] == "0"
    read = float(rows[f'ackd_issuer_keys_read_timestamp_seconds{{issuer="{CLUSTER}"}}'])
    assert abs(time.time() - read) < 600
    if tool := promtool():
        subprocess.run([tool, "check", "metrics"], input=text, text=True, check=True)


def test_a_config_that_is_wrong_ends_the_broker_with_its_place(tmp_path):
    file = tmp_path / "auth.json"
    for config, said in (({"issuers": []}, "issuers: it must be an array of 1 to 16"),
                         ({"issuers": [entry(Issuer("i"), {"jwks_file": "/none"})]}, "/none")):
        file.write_text(json.dumps(config))
        done = subprocess.run([BUILD / "broker/daemon/ackd", "--data-dir", tmp_path / "data",
                               "--auth-config", file], capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and said in done.stderr
