# SPDX-License-Identifier: Apache-2.0
"""pages.py -- work for the worker of the manifests: pages to read."""
import base64
import importlib.util
import io
import random

from broker import Broker
from processes import SOURCE

QUEUE = "pages"


def page() -> str:
    """A small page with a word on it, as a payload."""
    path = SOURCE / "worker-sdk/examples/ocr/make_dataset.py"
    spec = importlib.util.spec_from_file_location("make_dataset", path)
    make_dataset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_dataset)
    image = io.BytesIO()
    make_dataset.draw_page(["and then it was done"] * 6, random.Random(1)).save(image, "PNG")
    return base64.b64encode(image.getvalue()).decode()


def publish_pages(broker: Broker, count: int) -> None:
    payload = page()
    broker.call("TaskService/Publish", queue=QUEUE,
                tasks=[{"taskId": f"p{each}", "payload": payload} for each in range(count)])
