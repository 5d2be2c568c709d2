# SPDX-License-Identifier: Apache-2.0
"""The ocr example with a handful of pages: what it reads, where it puts it, what it refuses."""
import base64
import json
import subprocess
import sys

import pytest
from broker import Broker
from levenshtein import distance, plain
from processes import BUILD, SOURCE, Process

OCR = BUILD / "worker-sdk/examples/ocr/ocr"
QUEUE, PAGES = "pages", 6


def make_dataset(directory, seed=1):
    subprocess.run([sys.executable, SOURCE / "worker-sdk/examples/ocr/make_dataset.py", directory,
                    "--count", str(PAGES), "--lines", "3", "--seed", str(seed)], check=True,
                   capture_output=True)
    lines = (directory / "truth.jsonl").read_text().splitlines()
    return {line["id"]: line["text"] for line in map(json.loads, lines)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dataset")
    return directory, make_dataset(directory)


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        broker.call("QueueService/Create", name=QUEUE)
        yield broker


def publish(broker, dataset):
    directory, truth = dataset
    tasks = [{"taskId": name, "payload": base64.b64encode((directory / "images" / name).read_bytes())
              .decode()} for name in truth]
    broker.call("TaskService/Publish", queue=QUEUE, tasks=tasks)


def work(broker, tmp_path, *flags):
    process = Process([OCR, "--url", broker.url, "--until-empty", *flags, QUEUE], tmp_path / "ocr.log")
    assert process.wait(120) == 0, process.log_end()


def assert_read(truth, results):
    assert results.keys() == truth.keys()
    for name, result in results.items():
        assert distance(plain(truth[name]), plain(result["text"])) <= 3, name
        assert 0.5 < result["confidence"] <= 1


def test_pages_are_read_and_their_texts_kept_by_the_broker(broker, dataset, tmp_path):
    publish(broker, dataset)
    work(broker, tmp_path)
    found = broker.call("ResultService/List", queue=QUEUE)["results"]
    assert_read(dataset[1], {each["taskId"]: json.loads(base64.b64decode(each["data"]))
                             for each in found})


def test_two_threads_read_into_files(broker, dataset, tmp_path):
    publish(broker, dataset)
    work(broker, tmp_path, "--concurrency", "2", "--sink", f"file:{tmp_path / 'texts'}")
    assert_read(dataset[1], {path.name: json.loads(path.read_text())
                             for path in (tmp_path / "texts").iterdir()})


def test_what_is_no_image_is_dead_at_once_and_says_why(broker, tmp_path):
    payload = base64.b64encode(b"no image").decode()
    broker.call("TaskService/Publish", queue=QUEUE, tasks=[{"taskId": "a", "payload": payload}])
    work(broker, tmp_path)
    dead, = broker.call("DeadLetterService/List", queue=QUEUE)["deadLetters"]
    assert dead["task"]["failures"] == 1 and "not an image" in dead["error"]


@pytest.mark.parametrize("words, complaint", [
    ([], "name one queue"),
    (["--concurrency", "0", QUEUE], "--concurrency takes a number from 1 to 256, not '0'"),
    (["--sink", "s3:bucket", QUEUE], "there is no sink 's3:bucket'"),
    (["--speed", QUEUE], "--speed"),
])
def test_a_wrong_command_line_is_refused_with_a_sentence(words, complaint):
    done = subprocess.run([OCR, *words], capture_output=True, text=True)
    assert done.returncode == 2 and complaint in done.stderr


def test_a_seed_makes_the_same_dataset_again_and_another_seed_another(dataset, tmp_path):
    directory, truth = dataset
    assert make_dataset(tmp_path / "same") == truth
    for name in truth:
        image = (directory / "images" / name).read_bytes()
        assert image == (tmp_path / "same/images" / name).read_bytes()
    assert make_dataset(tmp_path / "other", seed=2) != truth
