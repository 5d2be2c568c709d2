# SPDX-License-Identifier: Apache-2.0
"""ackd_client, call by call: the cases are client_cases.c."""
import os
import subprocess

from processes import BUILD


def test_every_typed_call_against_a_real_broker(broker):
    done = subprocess.run([BUILD / "tests/sdk/client-cases"], capture_output=True, text=True,
                          env={**os.environ, "ACKD_URL": broker.url}, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
