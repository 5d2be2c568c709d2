# SPDX-License-Identifier: Apache-2.0
"""work: any program as a worker. What it reads, what its end means, how it is stopped."""
import json
import os
import signal
import sys

import pytest
from processes import wait_until


def publish(ackctl, *payloads: str, options=(), queue=()) -> None:
    ackctl.queue("q", "--backoff-min", "0", "--backoff-max", "0", *queue)
    rows = "".join(json.dumps({"id": f"t{i}", "text": text}) + "\n"
                   for i, text in enumerate(payloads))
    ackctl.ok("publish", "q", "--id", "id", "--payload", "text", *options, stdin=rows)


def sh(script: str) -> list[str]:
    return ["--", "sh", "-c", script]


def results(ackctl) -> dict[str, str]:
    return {row["taskId"]: row["result"] for row in ackctl.ok("results", "export", "q").rows()}


def wait_for_file(path) -> str:
    return wait_until(lambda: path.exists() and path.read_text(), f"{path.name} is written")


def test_stdin_is_the_payload_and_stdout_the_result(ackctl):
    publish(ackctl, "one", "two\nlines", "")
    ended = ackctl.ok("work", "q", "--until-empty", "--", "tr", "a-z", "A-Z")
    assert results(ackctl) == {"t0": "ONE", "t1": "TWO\nLINES", "t2": ""}
    assert "3 acked, 0 failed, 0 given back" in ended.err


def test_large_payloads_and_results_do_not_block_each_other(ackctl):
    text = "x" * 900_000
    publish(ackctl, text, text)
    ackctl.ok("work", "q", "-j", "2", "--until-empty", "--", "cat")
    assert results(ackctl) == {"t0": text, "t1": text}


def test_a_program_need_not_read_its_input(ackctl):
    publish(ackctl, "x" * 900_000)
    ackctl.ok("work", "q", "--until-empty", "--", "echo", "-n", "done")
    assert results(ackctl) == {"t0": "done"}


def test_the_environment_tells_of_the_task(ackctl):
    publish(ackctl, "x", options=("--dataset", "d", "--priority", "3", "--attr",
                                  "model-name=large v2"))
    ackctl.ok("work", "q", "--until-empty", *sh(
        'echo "$ACKD_TASK_ID|$ACKD_QUEUE|$ACKD_DATASET|$ACKD_ATTEMPT|$ACKD_FAILURES|$ACKD_FENCE|'
        '$ACKD_PRIORITY|$ACKD_ATTR_MODEL_NAME|$ACKD_URL|${ACKD_PAYLOAD_FILE-unset}"'))
    assert results(ackctl)["t0"] == f"t0|q|d|1|0|1|3|large v2|{ackctl.url}|unset\n"


def test_the_payload_may_be_a_file(ackctl):
    publish(ackctl, "in a file")
    ackctl.ok("work", "q", "--until-empty", "--payload-file", *sh(
        'cat; cat "$ACKD_PAYLOAD_FILE"'))
    assert results(ackctl) == {"t0": "in a file"}


def test_a_failure_is_counted_with_the_end_of_stderr_as_its_error(ackctl):
    publish(ackctl, "x", queue=("--max-failures", "2"))
    ended = ackctl.ok("work", "q", "--until-empty", *sh(
        'head -c 9000 /dev/zero | tr "\\0" . >&2; echo >&2; echo "ValueError: bad $ACKD_ATTEMPT" >&2; exit 3'))
    (letter,) = ackctl.ok("dead", "list", "q", "--each", "-o", "json").rows()
    assert letter["error"].startswith("exit code 3\n...") and len(letter["error"]) <= 4096
    assert letter["error"].rstrip().endswith("\nValueError: bad 2")
    assert letter["task"]["failures"] == 2
    assert "ValueError: bad 1" in ended.err  # passed on
    assert "0 acked, 2 failed" in ended.err
    (group,) = ackctl.ok("dead", "list", "q", "-o", "json").rows()
    assert group["error"] == "ValueError: bad 2"


def test_a_program_killed_by_a_signal_failed_by_it(ackctl):
    publish(ackctl, "x", queue=("--max-failures", "1"))
    ackctl.ok("work", "q", "--until-empty", *sh("kill -SEGV $$"))
    (group,) = ackctl.ok("dead", "list", "q", "-o", "json").rows()
    assert "killed by signal 11 (Segmentation fault)" in group["error"]


def test_stderr_that_is_not_text_becomes_text(ackctl):
    publish(ackctl, "x", queue=("--max-failures", "1"))
    ackctl.ok("work", "q", "--until-empty", *sh(r"printf 'a\377b\000c' >&2; exit 1"))
    (group,) = ackctl.ok("dead", "list", "q", "-o", "json").rows()
    assert group["error"] == "a?b?c"


def test_exit_75_gives_the_task_back_with_its_checkpoint_and_counts_no_failure(ackctl):
    publish(ackctl, "x", queue=("--max-failures", "1"))
    ackctl.ok("work", "q", "--until-empty", "--release-delay", "0", *sh(
        'if [ -e "$ACKD_CHECKPOINT_FILE" ]; then cat "$ACKD_CHECKPOINT_FILE"; exit 0; fi; '
        'echo "page 7" > "$ACKD_CHECKPOINT_FILE"; exit 75'))
    assert results(ackctl) == {"t0": "page 7\n"}
    assert ackctl.counts()["dead"] == 0


def test_a_result_over_the_limit_fails_with_the_limit(ackctl):
    publish(ackctl, "x", queue=("--max-failures", "1"))
    ackctl.ok("work", "q", "--until-empty", *sh("head -c 2000000 /dev/zero"))
    (letter,) = ackctl.ok("dead", "list", "q", "--each", "-o", "json").rows()
    assert "1048576" in letter["error"]


def test_processes_that_a_program_leaves_behind_do_not_hold_it_up(ackctl):
    publish(ackctl, "x")
    ackctl.ok("work", "q", "--until-empty", *sh("sleep 60 & echo -n done"), timeout_s=20)
    assert results(ackctl) == {"t0": "done"}


def test_several_run_at_a_time(ackctl, tmp_path):
    publish(ackctl, "a", "b", "c")
    waits_for_all = ('touch "' + str(tmp_path) + '/up-$ACKD_TASK_ID"; '
                     f'until [ "$(ls {tmp_path} | grep -c ^up-)" = 3 ]; do sleep 0.05; done')
    ackctl.ok("work", "q", "-j", "3", "--until-empty", *sh(waits_for_all))
    assert len(results(ackctl)) == 3


def test_a_program_that_is_not_there_is_told_before_any_task_is_taken(ackctl):
    publish(ackctl, "x")
    ended = ackctl("work", "q", "--", "no-such-program")
    assert ended.code == 2 and 'no program "no-such-program"' in ended.err
    assert ackctl.counts()["ready"] == 1


def test_without_a_command_it_is_a_mistake(ackctl):
    ended = ackctl("work", "q")
    assert ended.code == 2 and "needs CMD" in ended.err


def test_the_programs_own_options_are_not_ackctls(ackctl):
    publish(ackctl, "x")
    ackctl.ok("work", "q", "--until-empty", "echo", "-n", "--until-empty", "-o", "json")
    assert results(ackctl) == {"t0": "--until-empty -o json"}


def test_who_starts_it_with_sigchld_ignored_gets_the_same(ackctl):
    publish(ackctl, "x", queue=("--max-failures", "1"))
    child = ackctl.start("work", "q", "--until-empty", "--", "false",
                         preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert child.wait(30) == 0
    assert ackctl.counts()["dead"] == 1


def test_a_broker_that_is_not_there_is_exit_3(offline):
    ended = offline("work", "q", "--start-timeout", "200ms", "--", "true")
    assert ended.code == 3 and "is ackd running?" in ended.err


STOPS_WITH_CHECKPOINT = """
import os, signal, sys
def stop(*_):
    with open(os.environ["ACKD_CHECKPOINT_FILE"] + ".new", "w") as file:
        file.write("page 7")
    os.rename(file.name, os.environ["ACKD_CHECKPOINT_FILE"])
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
open(sys.argv[1], "w").write("running")
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_the_task_goes_back_with_its_checkpoint(ackctl, broker, tmp_path,
                                                                          number):
    publish(ackctl, "x", "y", queue=("--max-failures", "1"))
    child = ackctl.start("work", "q", "--", sys.executable, "-c", STOPS_WITH_CHECKPOINT,
                         tmp_path / "up")
    wait_for_file(tmp_path / "up")
    child.send_signal(number)
    assert child.wait(30) == 0
    assert ackctl.counts()["ready"] == 2
    tasks = broker.call("TaskService/Lease", queue="q", maxTasks=2)["tasks"]
    back = next(task for task in tasks if task["deliveries"] == 2 and "checkpoint" in task)
    assert back["preemptions"] == 1 and "failures" not in back
    assert back["checkpoint"] == "cGFnZSA3"  # page 7


def test_a_drain_may_have_an_exit_code_of_its_own(ackctl, tmp_path):
    publish(ackctl, "x")
    code = ("--drained-exit-code", "75")
    child = ackctl.start("work", "q", "--until-empty", *code,
                         *sh(f"trap 'exit 1' TERM; echo up > {tmp_path}/up; "
                             "while :; do sleep 0.05; done"))
    wait_for_file(tmp_path / "up")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 75
    assert ackctl("work", "q", "--until-empty", *code, "--", "true").code == 0  # all is done


def test_a_program_that_ends_well_within_the_grace_is_acked(ackctl, tmp_path):
    publish(ackctl, "x")
    child = ackctl.start("work", "q", *sh(
        f"trap 'echo -n finished; exit 0' TERM; echo up > {tmp_path}/up; "
        "while :; do sleep 0.05; done"))
    wait_for_file(tmp_path / "up")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert results(ackctl) == {"t0": "finished"}


def test_a_program_that_ignores_sigterm_is_killed_and_its_task_goes_back(ackctl, tmp_path):
    publish(ackctl, "x")
    child = ackctl.start("work", "q", "--grace", "3s", *sh(
        f"trap '' TERM; echo $$ > {tmp_path}/up; while :; do sleep 0.05; done"))
    pid = int(wait_for_file(tmp_path / "up"))
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert ackctl.counts()["ready"] == 1
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the program is gone")


def test_a_killed_ackctl_takes_its_program_with_it(ackctl, tmp_path):
    publish(ackctl, "x")
    child = ackctl.start("work", "q", *sh(f"echo $$ > {tmp_path}/up; exec sleep 60"))
    pid = int(wait_for_file(tmp_path / "up"))
    child.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the program is gone")


def test_a_checkpoint_is_stored_while_the_program_runs(ackctl, broker, tmp_path):
    publish(ackctl, "x")
    child = ackctl.start("work", "q", *sh(
        f'echo -n "page 7" > {tmp_path}/new; mv {tmp_path}/new "$ACKD_CHECKPOINT_FILE"; '
        "exec sleep 60"))
    wait_until(lambda: broker.call("TaskService/Get", queue="q", taskId="t0")["task"].get(
        "hasCheckpoint"), "the checkpoint is stored")
    child.kill()


def test_a_cancelled_task_s_program_is_stopped(ackctl, tmp_path):
    publish(ackctl, "x", "y")
    child = ackctl.start("work", "q", "--until-empty", "--session", "1s", *sh(
        f'[ $ACKD_TASK_ID = t1 ] && exit 0; trap "echo > {tmp_path}/stopped; exit 1" TERM; '
        f"echo up > {tmp_path}/up; while :; do sleep 0.05; done"))
    wait_for_file(tmp_path / "up")
    ackctl.ok("cancel", "q", "t0")
    wait_for_file(tmp_path / "stopped")
    assert child.wait(30) == 0
    assert ackctl.counts()["done"] == 1 and ackctl.counts()["dead"] == 1


def test_the_worker_has_the_name_it_was_given_and_leaves_no_files(ackctl, tmp_path):
    publish(ackctl, "x")
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    ackctl.ok("work", "q", "--until-empty", "--name", "pod-7", *sh(
        f"{sys.executable} -c 'import os; print(os.environ[\"ACKD_CHECKPOINT_FILE\"])'"),
        TMPDIR=str(scratch))
    assert results(ackctl)["t0"].startswith(str(scratch))
    assert not list(scratch.iterdir())
