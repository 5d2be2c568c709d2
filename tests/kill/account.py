# SPDX-License-Identifier: Apache-2.0
"""account.py -- what the broker itself says of a queue when its load has ended."""
from checker import Checker, End
from script import Refused, Wire

CHUNK = 1000  # tasks asked for in one look


def account_of(wire: Wire, name: str, checker: Checker) -> End:
    """Changes the queue: tasks that are missing are found by publishing them again."""
    queue, check = queue_of(wire, name), wire.ask("AdminService/Check")
    unsure = checker.unsure()
    states = {task_id: state_of(wire, name, task_id) for task_id in unsure}
    sure = sorted(checker.ledgers.keys() - set(unsure))
    for at in range(0, len(sure), CHUNK):
        states |= {task_id: "none" for task_id in missing(wire, name, sure[at:at + CHUNK])}
    return End({name: int(count) for name, count in queue["counts"].items()},
               int(queue.get("deliveries", 0)), int(check.get("problemCount", 0)), states)


def queue_of(wire: Wire, name: str) -> dict:
    return wire.ask("QueueService/Get", name=name)["queue"]


def is_drained(queue: dict) -> bool:
    return not any(int(queue["counts"].get(name, 0)) for name in ("ready", "leased", "delayed"))


def state_of(wire: Wire, name: str, task_id: str) -> str:
    """As "done"; "none": there is no such task."""
    try:
        state = wire.ask("TaskService/Get", queue=name, taskId=task_id)["task"]["state"]
        return state.removeprefix("TASK_STATE_").lower()
    except Refused:
        return "none"


def missing(wire: Wire, name: str, task_ids: list[str]) -> list[str]:
    """Those that the broker does not know: publishing them again stores them."""
    reply = wire.ask("TaskService/Publish", queue=name,
                     tasks=[{"taskId": task_id} for task_id in task_ids])
    return [outcome["taskId"] for outcome in reply["outcomes"] if "error" not in outcome]
