# SPDX-License-Identifier: Apache-2.0
"""sinks.py -- what is in each of the three sinks, read behind the SDK's back."""
import base64
from dataclasses import dataclass
from pathlib import Path

from broker import Broker, Refused
from postgres import Postgres

# Whatever is done to a row stands in the audit.
TABLE = """
    DROP TABLE IF EXISTS ackd_results, audit;
    CREATE TABLE ackd_results (queue text, task_id text, fence bigint, result bytea, dataset text,
        worker text, committed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (queue, task_id));
    CREATE TABLE audit (verb text, task_id text, fence bigint);
    CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO audit VALUES (TG_OP, NEW.task_id, NEW.fence); RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON ackd_results
        FOR EACH ROW EXECUTE FUNCTION note();
"""


@dataclass
class BrokerSink:
    broker: Broker
    queue: str = "q"
    option: str = "broker"

    def results(self) -> dict[str, str]:
        """Task ID -> result."""
        found, token = {}, ""
        while True:
            page = self.broker.call("ResultService/List", queue=self.queue, pageSize=1000,
                                    pageToken=token)
            for result in page.get("results", []):
                assert result["taskId"] not in found, f"{result['taskId']} has two results"
                found[result["taskId"]] = base64.b64decode(result.get("data", "")).decode()
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def missing(self, task_ids: list[str]) -> list[str]:
        """Those without a result."""
        return [task_id for task_id in task_ids if not self._has(task_id)]

    def problems(self) -> list[str]:
        """What ought not to be there."""
        return []

    def _has(self, task_id: str) -> bool:
        try:
            return bool(self.broker.call("ResultService/Get", queue=self.queue, taskId=task_id))
        except Refused:
            return False


@dataclass
class FileSink:
    directory: Path

    @property
    def option(self) -> str:
        return f"file:{self.directory}"

    def results(self) -> dict[str, str]:
        if not self.directory.exists():
            return {}
        return {path.name: path.read_text() for path in self.directory.iterdir()
                if not path.name.startswith(".ackd-")}

    def missing(self, task_ids: list[str]) -> list[str]:
        return [task_id for task_id in task_ids if not (self.directory / task_id).exists()]

    def problems(self) -> list[str]:
        return []

    def leftovers(self) -> int:
        """Temporary files of killed workers."""
        return len(list(self.directory.glob(".ackd-*")))


@dataclass
class PostgresSink:
    postgres: Postgres
    conninfo: str = ""  # for workers, if not the server's own

    def __post_init__(self):
        self.postgres.query(TABLE)

    @property
    def option(self) -> str:
        return f"postgres:{self.conninfo or self.postgres.conninfo}"

    def results(self) -> dict[str, str]:
        return {task_id: result for task_id, result in self.postgres.query(
            "SELECT task_id, convert_from(result, 'UTF8') FROM ackd_results")}

    def missing(self, task_ids: list[str]) -> list[str]:
        values = ", ".join(f"('{task_id}')" for task_id in task_ids)
        return [task_id for task_id, in self.postgres.query(
            f"SELECT id FROM (VALUES {values}) AS wanted (id) "
            "WHERE id NOT IN (SELECT task_id FROM ackd_results)")] if task_ids else []

    def problems(self) -> list[str]:
        """Each row was inserted once and left alone (the policy is `first`)."""
        return [f"{task_id}: {verb} of its row, {count} times in all" for verb, task_id, count in
                self.postgres.query("SELECT max(verb), task_id, count(*) FROM audit GROUP BY 2 "
                                    "HAVING count(*) > 1 OR max(verb) <> 'INSERT'")]
