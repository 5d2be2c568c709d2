# SPDX-License-Identifier: Apache-2.0
"""The alerts and the dashboard name what a real broker exports, and say what they should."""
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus import SOURCE, promtool, read_metrics
from raw_http import RawClient

ALERTS = SOURCE / "deploy/prometheus/alerts.yaml"
DASHBOARD = json.loads((SOURCE / "deploy/grafana/ackd.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
         for rule in group["rules"]]
METRIC = re.compile(r"\b(?:ackd|process)_[a-z_]+")
MATCHER = re.compile(r'([a-z]+)(=|!=|=~|!~)"([^"]*)"')


def expressions() -> list[str]:
    queries = [variable["query"] for variable in DASHBOARD["templating"]["list"]]
    targets = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [rule["expr"] for rule in RULES] + targets + queries


@pytest.fixture(scope="module")
def metrics(broker):
    """Of a broker on which everything has happened once."""
    broker.call("QueueService/Create", name="seen")
    broker.call("TaskService/Publish", queue="seen", dataset="set", tasks=[{}] * 3)
    [done, _] = broker.call("TaskService/Lease", queue="seen", maxTasks=2)["tasks"]
    broker.call("TaskService/Ack", items=[{"leaseToken": done["leaseToken"]}])
    # of a dataset that has nothing left the time left is known at once: 0
    broker.call("TaskService/Publish", queue="seen", dataset="done", tasks=[{"taskId": "x"}])
    broker.call("TaskService/Cancel", queue="seen", taskIds=["x"])
    with RawClient(broker.port) as raw:
        return read_metrics(raw)


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_named_is_exported(metrics, expression):
    for name in METRIC.findall(expression):
        assert name in metrics.names(), name


@pytest.mark.parametrize("expression", expressions())
def test_every_label_and_value_named_is_exported(metrics, expression):
    labels = {name: {value for _, pairs in metrics.samples for key, value in pairs if key == name}
              for _, pairs in metrics.samples for name, _ in pairs}
    for name, _, text in MATCHER.findall(expression):
        if name == "instance" or text.startswith("$"):
            continue
        assert name in labels, name
        for value in text.split("|"):
            assert value in labels[name] | {"_other"}, value


def test_every_metric_has_its_help(metrics):
    assert metrics.names() and metrics.helps.keys() == metrics.types.keys()


def run(*command: str, **options) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tool() -> str:
    found = promtool()
    if found is None:
        pytest.skip("no promtool here")
    return str(Path(found).resolve())


def test_the_alerts_fire_when_they_should_and_only_then(tool):
    run(tool, "check", "rules", "--lint=all", "--lint-fatal", ALERTS.name, cwd=ALERTS.parent)
    run(tool, "test", "rules", "alerts_test.yaml", cwd=ALERTS.parent)


def test_every_alert_has_a_test_and_says_what_to_do():
    tests = (ALERTS.parent / "alerts_test.yaml").read_text(encoding="utf-8")
    for rule in RULES:
        assert re.search(rf"\b{rule['alert']}\b", tests.replace("AckdStore.*", "AckdStoreFull"))
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert all(len(text) > 20 for text in rule["annotations"].values()), rule["alert"]


def test_the_dashboards_queries_are_promql(tool, tmp_path):
    rules = [{"record": f"panel:{panel['id']}:{target['refId']}",
              "expr": re.sub(r"\$\w+", "x", target["expr"])}
             for panel in PANELS for target in panel["targets"]]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}),
                    encoding="utf-8")
    run(tool, "check", "rules", str(path))


def test_the_dashboard_can_be_provisioned():
    assert (DASHBOARD["uid"], DASHBOARD.get("id")) == ("ackd", None)
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identities) == len(set(identities))
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)
    assert all(panel["title"] and panel["description"] for panel in PANELS)
    cells = [(panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
             for panel in DASHBOARD["panels"]
             for x in range(panel["gridPos"]["w"]) for y in range(panel["gridPos"]["h"])]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _ in cells) < 24
