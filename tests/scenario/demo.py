# SPDX-License-Identifier: Apache-2.0
"""demo.py -- the main job in full: `./dev demo` runs it.

A dataset of page images goes into a fresh broker. Three ocr workers read it, and are evicted one
after the other as Spot nodes are reclaimed; in the middle the broker itself is killed twice. In the
end every count is checked, and the text is compared with the one that the images were drawn from.
Exits 1 if any count is off.
"""
import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from broker import Broker, Refused  # noqa: E402
from fleet import Fleet  # noqa: E402
from levenshtein import distance, plain  # noqa: E402
from ordeal import Ordeal  # noqa: E402
from postgres import Postgres  # noqa: E402
from processes import SOURCE  # noqa: E402
from terminal import Terminal  # noqa: E402

QUEUE, DATASET = "pages", "licences"
EVICT_EVERY_S = 4.0
TASKS_MIN = 60
TIMEOUT_S = 600
# Far above what the model does with these images: more means that results are not of their tasks.
ERROR_RATE_MAX = 0.05


def main() -> int:
    options = parse_options()
    sys.stdout.reconfigure(line_buffering=True)  # its lines and those of ackctl stay in order
    start = time.monotonic()
    fresh_directory(options.directory)
    make_dataset(options)
    screen = Terminal(options.tasks)
    with contextlib.ExitStack() as running:
        database = running.enter_context(Postgres()) if options.postgres else None
        broker = running.enter_context(Broker(options.directory / "broker",
                                              build=options.build_dir))
        screen.event(f"ackd serves {broker.url}" +
                     (f", results go to PostgreSQL at '{database.conninfo}'" if database else ""))
        ackctl(options, broker, "queue", "create", QUEUE)
        # The path below the working directory is the task ID.
        ackctl(options, broker, "publish", QUEUE, "--dataset", DATASET, "--content", "--files",
               "*.png", cwd=options.directory / "images")
        fleet = running.enter_context(Fleet(
            ocr_command(options, broker, database), options.directory / "workers",
            rng=random.Random(options.seed), on_event=screen.event))
        ordeal = Ordeal(broker, fleet, QUEUE, DATASET, options.tasks,
                        # Fewer tasks, shorter intervals: there shall be enough evictions.
                        evict_every_s=min(EVICT_EVERY_S, options.tasks / 75),
                        on_event=screen.event, on_progress=screen.progress)
        ordeal.run(TIMEOUT_S)
        screen.close()
        results = export(options, broker, database)
    if not options.keep:
        for name in ("broker", "images"):
            shutil.rmtree(options.directory / name)
    return report(options, ordeal, results, time.monotonic() - start)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n\n")[1])
    parser.add_argument("--postgres", action="store_true",
                        help="results go to a PostgreSQL server, started for it")
    parser.add_argument("--tasks", type=int, default=300, help="page images (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="of texts, noise and evictions")
    parser.add_argument("--keep", action="store_true",
                        help="leave the images and the broker's directory too")
    parser.add_argument("--directory", type=Path, default=SOURCE / "demo-data",
                        help="where everything is written (default demo-data; emptied first)")
    parser.add_argument("--build-dir", type=Path, default=SOURCE / "build", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tasks < TASKS_MIN:
        parser.error(f"--tasks must be at least {TASKS_MIN}: fewer are done before enough workers "
                     "are evicted")
    options.directory, options.build_dir = options.directory.resolve(), options.build_dir.resolve()
    return options


def fresh_directory(directory: Path) -> None:
    """Empties it, if it is one that the demo made."""
    mark = directory / ".made-by-ackd-demo"
    if directory.exists() and any(directory.iterdir()) and not mark.exists():
        raise SystemExit(f"{directory} holds something else: name another --directory")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    mark.touch()


def make_dataset(options: argparse.Namespace) -> None:
    print(f"drawing {options.tasks} page images")
    subprocess.run([sys.executable, SOURCE / "worker-sdk/examples/ocr/make_dataset.py",
                    options.directory, "--count", str(options.tasks), "--seed", str(options.seed)],
                   check=True, stdout=subprocess.DEVNULL)


def ackctl(options: argparse.Namespace, broker: Broker, *words, cwd: Path | None = None) -> None:
    subprocess.run([options.build_dir / "cli/ackctl", "--url", broker.url, *words], check=True,
                   stdin=subprocess.DEVNULL, cwd=cwd)


def ocr_command(options: argparse.Namespace, broker: Broker, database: Postgres | None) -> list:
    sink = f"postgres:{database.conninfo}" if database else "broker"
    return [options.build_dir / "worker-sdk/examples/ocr/ocr", "--url", broker.url, "--name",
            "{name}", "--sink", sink, "--until-empty", QUEUE]


def export(options: argparse.Namespace, broker: Broker, database: Postgres | None) -> Path:
    """Writes what the sink holds, a line of JSON a result."""
    path = options.directory / "results.jsonl"
    if not database:
        ackctl(options, broker, "results", "export", QUEUE, "--as", "json", "--out", path)
        return path
    rows = database.query("SELECT task_id, fence, convert_from(result, 'UTF8') FROM ackd_results"
                          f" WHERE queue = '{QUEUE}' ORDER BY task_id")
    with open(path, "w", encoding="utf-8") as out:
        for task_id, fence, result in rows:
            out.write(json.dumps({"taskId": task_id, "fence": int(fence),
                                  "result": json.loads(result)}) + "\n")
    return path


def report(options: argparse.Namespace, ordeal: Ordeal, results: Path, wall_s: float) -> int:
    truth = {line["id"]: line["text"] for line in read_lines(options.directory / "truth.jsonl")}
    found = [(line["taskId"], line["result"]["text"]) for line in read_lines(results)]
    checks = ordeal.audit(set(truth), [task_id for task_id, _ in found])
    error_rate = character_error_rate(truth, dict(found))
    checks.append((error_rate <= ERROR_RATE_MAX,
                   f"the character error rate is at most {ERROR_RATE_MAX:.0%}"))
    for name, value in summary(ordeal, found, error_rate, wall_s, results):
        print(f"  {name:<22}{value}")
    wrong = [sentence for holds, sentence in checks if not holds]
    for sentence in wrong:
        print(f"  WRONG: {sentence}")
    print(f"{len(checks) - len(wrong)} of {len(checks)} counts are right")
    return 1 if wrong else 0


def summary(ordeal: Ordeal, found: list, error_rate: float, wall_s: float, path: Path):
    counts, fleet = ordeal.counts, ordeal.fleet
    ids = {task_id for task_id, _ in found}
    drained = f", drained in {max(fleet.drain_s):.1f} s or less" if fleet.drain_s else ""
    return [
        ("tasks", f"{counts['published']} published, {counts['done']} done, {counts['dead']} dead"),
        ("results", f"{len(found)}, of {len(ids)} task IDs" +
         (", each exactly once" if len(found) == len(ids) else "")),
        ("evictions", f"{fleet.evictions()}: {fleet.terminated} by SIGTERM{drained}; "
                      f"{fleet.killed} by SIGKILL at once"),
        ("broker killed", f"{ordeal.broker_killed} times"),
        ("tasks returned", f"{counts['preemptions']} by draining workers"),
        ("tasks lost", f"{counts['losses']} with killed workers, leased again"),
        ("tasks redone", f"{ordeal.redone()} computed more than once"),
        ("lease-seconds", f"{counts['usefulLeaseMs'] / 1000:.1f} useful, "
                          f"{counts['wastedLeaseMs'] / 1000:.1f} wasted"),
        ("character error rate", f"{error_rate:.2%}"),
        ("wall time", f"{wall_s:.1f} s"),
        ("results lie in", path),
    ]


def character_error_rate(truth: dict[str, str], found: dict[str, str]) -> float:
    """Edits a character between what was read and what was drawn, over all pages."""
    edits = sum(distance(plain(text), plain(found.get(task_id, "")))
                for task_id, text in truth.items())
    return edits / sum(len(plain(text)) for text in truth.values())


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (AssertionError, Refused, subprocess.CalledProcessError) as error:
        sys.exit(f"the demo broke off: {error}")
