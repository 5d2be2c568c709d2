# SPDX-License-Identifier: Apache-2.0
"""The command line itself, without a broker: help, mistakes, completion, man pages."""
import re
import shutil
import subprocess

import pytest
from processes import BUILD


def commands(ackctl) -> list[str]:
    """Every command's name, as the overview lists them."""
    overview = ackctl.ok("help").out
    listed = overview.split("Commands:\n")[1].split("\n\n")[0]
    return [match.group(1) for match in re.finditer(r"^  (\S+(?: \S+)?)  ", listed, re.M)]


def options_of(help_text: str) -> list[str]:
    return re.findall(r"^  (?:-\w, )?--([\w-]+)", help_text, re.M)


def test_without_a_command_it_tells_all_of_them_and_exits_2(offline):
    ended = offline()
    assert ended.code == 2 and "Commands:" in ended.err and not ended.out


def test_help_by_itself_is_no_mistake(offline):
    for line in (["help"], ["--help"], ["-h"]):
        ended = offline(*line)
        assert ended.code == 0 and "publish" in ended.out and not ended.err


def test_the_version_is_the_same_whichever_way_it_is_asked_for(offline):
    assert offline.ok("version").out == offline.ok("--version").out
    assert re.fullmatch(r"ackctl \d+\.\d+\.\d+\n", offline.ok("version").out)


def test_help_of_every_command_is_there_three_ways(offline):
    names = commands(offline)
    assert len(names) > 25
    for name in names:
        words = name.split()
        texts = {offline.ok(*words, "--help").out, offline.ok("help", *words).out,
                 offline.ok(*words, "-h").out}
        assert len(texts) == 1
        assert texts.pop().startswith(f"Usage: ackctl {name} ")


def test_a_group_lists_its_commands(offline):
    assert offline().code == 2
    ended = offline("queue")
    assert ended.code == 2 and "queue purge" in ended.err
    assert "queue purge" in offline.ok("queue", "--help").out
    assert "queue purge" in offline.ok("help", "queue").out


def test_every_option_of_the_help_is_taken_and_no_other(offline):
    """Nothing is run: a flag takes no value, an empty value fits few options, and where it does the
    option behind it is unknown."""
    for name in commands(offline):
        for option in options_of(offline.ok(*name.split(), "--help").out):
            ended = offline(*name.split(), f"--{option}=", "--no-such-option")
            assert ended.code == 2 and f"no option --{option}" not in ended.err, ended.err
        ended = offline(*name.split(), "--no-such-option")
        assert ended.code == 2 and "no option --no-such-option" in ended.err


@pytest.mark.parametrize("line, message", [
    (["publsh", "q"], "did you mean `ackctl publish`?"),
    (["queue", "mak", "q"], "there is no command \"queue mak\""),
    (["publish", "q", "--dry-rum"], "did you mean --dry-run?"),
    (["publish"], "needs QUEUE"),
    (["queue", "show", "a", "b"], "takes no argument \"b\""),
    (["publish", "q", "--delay", "10"], "must be a time with its unit"),
    (["publish", "q", "--delay"], "--delay needs a value"),
    (["publish", "q", "--priority", "10"], "must be a whole number from 0 to 9"),
    (["publish", "q", "--priority=x"], "must be a whole number from 0 to 9"),
    (["publish", "q", "--create=yes"], "--create takes no value"),
    (["publish", "q", "-o", "xml"], "must be one of table|json"),
    (["publish", "q", "-z"], "there is no option -z"),
    (["publish", "q", "data.parquet"], "give --format"),
    (["publish", "q", "a/x.csv", "b/x.csv"], "have the same name"),
    (["publish", "q", "x.csv", "--files", "*"], "give FILEs or --files, not both"),
    (["publish", "q", "--files", "*", "--id", "x"], "the ID is the path"),
    (["publish", "q", "--path"], "go with --files"),
    (["publish", "q", "x.csv", "--id", "i", "--rows-per-task", "2"], "several rows"),
    (["queue", "update", "q"], "say what to change"),
    (["ack", "t", "u", "--result", "x"], "give one TOKEN"),
    (["ack", "t", "--result", "x", "--result-file", "-"], "not both"),
    (["nack", "t", "--reason", "released", "--permanent"], "--reason failed only"),
    (["dead", "redrive", "q"], "say which"),
    (["dead", "delete", "q", "id", "--all"], "not both"),
    (["completion", "fish"], "not for \"fish\""),
    (["queue", "delete", "q"], "give --yes"),
    (["queue", "purge", "q"], "give --yes"),
    (["dead", "delete", "q", "--all"], "give --yes"),
    (["--url", "ftp://x", "queue", "list"], "--url"),
])
def test_a_wrong_line_is_explained_and_exits_2(offline, line, message):
    ended = offline(*line)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert ended.err.startswith("ackctl: ") and not ended.out


def test_options_may_stand_anywhere_and_be_written_four_ways(offline):
    rows = '{"a":1}\n'
    lines = (["publish", "q", "-", "--dry-run", "--output", "json"],
             ["-o", "json", "publish", "--dry-run", "q"],
             ["publish", "-n", "-ojson", "q", "-"],
             ["publish", "-nqojson", "q"],
             ["--output=json", "publish", "-n", "q", "--", "-"])
    outputs = {offline.ok(*line, stdin=rows).out for line in lines}
    assert len(outputs) == 1


def test_a_broker_that_is_not_there_is_exit_3_and_what_to_do(offline):
    for line in (["queue", "list"], ["publish", "q"], ["watch", "q"], ["stats"],
                 ["results", "export", "q"]):
        ended = offline(*line)
        assert ended.code == 3, line
        assert "broker not reached at http://127.0.0.1:9: is ackd running?" in ended.err
        assert "ackd --data-dir" in ended.err


def test_the_url_option_comes_before_the_environment(offline):
    ended = offline("queue", "list", "--url", "http://127.0.0.1:8")
    assert ended.code == 3 and "127.0.0.1:8:" in ended.err


def test_the_environment_is_checked_too(offline):
    ended = offline("queue", "list", ACKD_URL="nonsense")
    assert ended.code == 2 and "--url" in ended.err


def test_stdout_that_is_full_is_no_success(offline):
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([BUILD / "cli/ackctl", "help"], stdout=full,
                               stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1 and "can't be written" in ended.stderr


def test_bash_completion_completes(offline, tmp_path):
    script = tmp_path / "ackctl.bash"
    script.write_text(offline.ok("completion", "bash").out)
    subprocess.run(["bash", "-n", script], check=True)

    def complete(*words: str) -> list[str]:
        program = (f"source {script}; COMP_WORDS=(ackctl \"$@\"); COMP_CWORD=$#; _ackctl; "
                   "printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", program, "bash", *words], capture_output=True,
                              text=True, check=True, cwd=tmp_path)
        return done.stdout.split()

    assert complete("pub") == ["publish"]
    assert "queue" in complete("")
    assert sorted(complete("queue", "p")) == ["pause", "purge"]
    assert complete("--url", "x", "queue", "cr") == ["create"]
    assert complete("publish", "q", "--rows") == ["--rows-per-task"]
    assert complete("publish", "q", "--format", "c") == ["csv"]
    assert complete("publish", "q", "-o", "") == ["table", "json"]
    assert complete("publish", "q", "ackctl.b") == ["ackctl.bash"]
    assert complete("publish", "q", "--id", "") == []
    assert complete("completion", "z") == ["zsh"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh here")
def test_zsh_completion_loads(offline, tmp_path):
    script = tmp_path / "_ackctl"
    script.write_text(offline.ok("completion", "zsh").out)
    subprocess.run(["zsh", "-n", script], check=True)
    done = subprocess.run(
        ["zsh", "-f", "-c", f"autoload -U compinit; compinit -u -d {tmp_path}/dump; "
         f"source {script}; print $_comps[ackctl]; whence -w _ackctl_queue_create"],
        capture_output=True, text=True)
    assert done.stdout == "_ackctl\n_ackctl_queue_create: function\n", done.stderr


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man here")
def test_man_pages_are_complete_and_render_without_warnings(offline, tmp_path):
    offline.ok("__man", tmp_path / "man1")
    names = commands(offline)
    pages = {path.name for path in (tmp_path / "man1").iterdir()}
    assert pages == {"ackctl.1"} | {f"ackctl-{name.replace(' ', '-')}.1" for name in names}
    for page in sorted(pages):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", tmp_path / "man1" / page],
                              capture_output=True, text=True, env={"MANWIDTH": "100", "PATH":
                              "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0 and not done.stderr, f"{page}: {done.stderr}"
        name = page.removesuffix(".1")
        assert name in done.stdout and "EXIT STATUS" in done.stdout
    for name in names:
        text = (tmp_path / "man1" / f"ackctl-{name.replace(' ', '-')}.1").read_text()
        for option in options_of(offline.ok(*name.split(), "--help").out):
            assert f"--{option}".replace("-", "\\-") in text
