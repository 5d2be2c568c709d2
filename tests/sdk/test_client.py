# SPDX-License-Identifier: Apache-2.0
"""ackd_client, call by call: the cases are client_cases.c and admin_cases.c."""
import os
import subprocess

import pytest
from processes import BUILD


@pytest.mark.parametrize("cases", ["client", "admin"])
def test_every_typed_call_against_a_real_broker(broker, cases):
    done = subprocess.run([BUILD / f"tests/sdk/{cases}-cases"], capture_output=True, text=True,
                          env={**os.environ, "ACKD_URL": broker.url}, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
