# SPDX-License-Identifier: Apache-2.0
"""with_broker.py COMMAND... -- runs a command beside a fresh broker, whose URL it gets as ACKD_URL.

Exits as the command does, or with 1 if the broker does not stop in order afterwards."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from broker import Broker


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ackd-") as directory:
        with Broker(Path(directory)) as broker:
            code = subprocess.run(sys.argv[1:], env=os.environ | {"ACKD_URL": broker.url}).returncode
            stopped = broker.stop()
            if stopped != 0:
                print(f"ackd ended with {stopped}:\n{broker.process.log_end()}", file=sys.stderr)
    return code or (1 if stopped else 0)


if __name__ == "__main__":
    sys.exit(main())
