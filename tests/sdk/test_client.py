# SPDX-License-Identifier: Apache-2.0
"""ackd_client, call by call: the cases are client_cases.c, admin_cases.c and token_cases.c."""
import os
import subprocess

import pytest
from broker import Broker
from processes import BUILD


def run(cases: str, **environment) -> None:
    done = subprocess.run([BUILD / f"tests/sdk/{cases}-cases"], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cases", ["client", "admin"])
def test_every_typed_call_against_a_real_broker(broker, cases):
    run(cases, ACKD_URL=broker.url)


def test_the_calls_about_tokens_against_a_broker_that_wants_them(tmp_path):
    made = subprocess.run([BUILD / "cli/ackctl", "token", "generate", "-q"], check=True,
                          capture_output=True, timeout=30)
    file = tmp_path / "admin.token"
    file.touch(mode=0o600)
    file.write_bytes(made.stdout)
    with Broker(tmp_path / "broker", "--admin-token-file", str(file)) as broker:
        run("token", ACKD_URL=broker.url, ACKD_TOKEN_FILE=str(file))
