// SPDX-License-Identifier: Apache-2.0
//
// operate.test.mjs -- what an operator sees and does.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ack, call, cell, close, eventually, fail, finish, launch, legend, live, makeQueue, open,
  row, shows, url, work } from "./browser.mjs";

const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChw" +
  "GA60e6kgAAAABJRU5ErkJggg==", "base64");

const countsOf = async (name) => (await call("QueueService/Get", { name })).queue.counts;

describe("an operator", { timeout: 120_000 }, () => {
  before(launch);
  after(close);

  test("sees each queue's numbers, and how they change", async () => {
    await makeQueue("watched", { tasks: 3 });
    const page = await open("");
    await shows(await cell(page, "watched", "Ready"), "3");
    await call("TaskService/Publish", { queue: "watched", tasks: [{}, {}] });
    await shows(await cell(page, "watched", "Ready"), "5");
    await finish(page, "queues");
  });

  test("is told what to do while there is no queue of interest", async () => {
    await makeQueue("hollow");
    const page = await open("queues/hollow");
    await page.getByText("No datasets yet").waitFor();
    await page.goto(`${url}/#/queues/hollow/dead`);
    await page.getByText("No dead letters").waitFor();
    await page.goto(`${url}/#/queues/hollow/leases`);
    await page.getByText("Nothing is leased").waitFor();
    await finish(page, "empty");
  });

  test("is told that a queue is not there, and finds the way back", async () => {
    const page = await open("queues/nowhere", { refusals: true });
    await page.getByText('there is no queue "nowhere"').waitFor();
    await page.getByRole("link", { name: "Back to the queues" }).click();
    await page.getByRole("table", { name: "Queues" }).waitFor();
    await finish(page, "no-queue");
  });

  test("sees how far a dataset is", async () => {
    await makeQueue("halfway", { tasks: 8, dataset: "pages" });
    await ack(await work("halfway", "w", 4));
    const page = await open("queues/halfway");
    await shows(await cell(page, "pages", "Done"), "4 / 8");
    assert.match(await (await cell(page, "pages", "Progress")).textContent(), /50 %/);
    assert.match(await (await cell(page, "pages", "ETA")).textContent(), /\d+ (ms|s|m|h|d)|–/);
    await finish(page, "datasets");
  });

  test("sees charts that go on", async () => {
    await makeQueue("charted", { tasks: 5 });
    const page = await open("queues/charted");
    await live(page);
    const drawn = () => page.evaluate(() => (
      [...document.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL())));
    const first = await drawn();
    assert.equal(first.length, 4);
    await shows(legend(page, "Latency to lease", "waits"), /^[1-9].* m?s$/);
    await ack(await work("charted", "w", 5));
    await shows(legend(page, "Depth", "ready"), "0");
    await shows(legend(page, "Rates", "acked"), /^\d.*\/s$/);
    await shows(legend(page, "Latency to lease", "waits"), "0 ms");
    await shows(legend(page, "Latency to ack", "acked, mean"), /^\d.* m?s$/);
    await eventually(async () => {
      const next = await drawn();
      first.forEach((picture, i) => assert.notEqual(picture, next[i], `chart ${i}`));
    });
    await finish(page, "charts");
  });

  test("pauses a queue after a question, and resumes it", async () => {
    await makeQueue("stoppable", { tasks: 1 });
    const page = await open("queues/stoppable");
    await page.getByRole("button", { name: "Pause" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("No task of stoppable is handed out").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.ok(!(await call("QueueService/Get", { name: "stoppable" })).queue.paused);

    await page.getByRole("button", { name: "Pause" }).click();
    await dialog.getByRole("button", { name: "Pause" }).click();
    await page.getByText("stoppable is paused.").waitFor();
    await page.getByRole("button", { name: "Resume" }).waitFor();
    assert.ok((await call("QueueService/Get", { name: "stoppable" })).queue.paused);
    await page.screenshot({ path: "../screenshots/paused.png" });

    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    assert.ok(!(await call("QueueService/Get", { name: "stoppable" })).queue.paused);
    await finish(page, "resumed");
  });

  test("redrives one error's dead letters, after a question that names their number", async () => {
    await makeQueue("dying", { tasks: 7, config: { maxFailures: 1 } });
    const tasks = await work("dying", "w", 7);
    await fail(tasks.slice(0, 4), "Traceback\nCUDA out of memory");
    await fail(tasks.slice(4), "no such file");
    const page = await open("queues/dying/dead");
    await shows(await cell(page, "CUDA out of memory", "Count"), "4");
    await shows(await cell(page, "no such file", "Count"), "3");

    await row(page, "CUDA out of memory").getByRole("button", { name: "Redrive" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Redrive 4 dead letters?").waitFor();
    await page.screenshot({ path: "../screenshots/redrive.png" });
    await dialog.getByRole("button", { name: "Redrive 4 dead letters" }).click();
    await page.getByText("Redriven: 4 dead letters.").waitFor();
    await row(page, "CUDA out of memory").waitFor({ state: "detached" });
    const counts = await countsOf("dying");
    assert.deepEqual([counts.ready, counts.dead], ["4", "3"]);
    await finish(page, "dead");
  });

  test("deletes dead letters only if the question is answered with yes", async () => {
    await makeQueue("doomed", { tasks: 2, config: { maxFailures: 1 } });
    await fail(await work("doomed", "w", 2), "hopeless");
    const page = await open("queues/doomed/dead");
    const button = row(page, "hopeless").getByRole("button", { name: "Delete" });
    const dialog = page.getByRole("dialog");
    await button.click();
    await dialog.getByText("Delete 2 dead letters?").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal((await countsOf("doomed")).dead, "2");

    await button.click();
    await dialog.getByRole("button", { name: "Delete 2 dead letters" }).click();
    await page.getByText("Deleted: 2 dead letters.").waitFor();
    await page.getByText("No dead letters").waitFor();
    assert.equal((await countsOf("doomed")).dead ?? "0", "0");
    await finish(page, "deleted");
  });

  test("acts on dead letters of a queue that can't look up IDs", async () => {
    await makeQueue("nameless", { tasks: 3, config: { maxFailures: 1, dedup: false } });
    const tasks = await work("nameless", "w", 3);
    await fail(tasks.slice(0, 2), "this");
    await fail(tasks.slice(2), "that");
    const page = await open("queues/nameless/dead");
    await row(page, "this").getByRole("button", { name: "Redrive" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Redrive 2" }).click();
    await page.getByText("Redriven: 2 dead letters.").waitFor();
    const counts = await countsOf("nameless");
    assert.deepEqual([counts.ready, counts.dead], ["2", "1"]);
    await finish(page, "no-dedup");
  });

  test("is shown an example that is still among the error's dead letters", async () => {
    await makeQueue("exemplary", { tasks: 2, config: { maxFailures: 1 } });
    await fail(await work("exemplary", "w", 2), "hopeless");
    const page = await open("queues/exemplary/dead");
    const example = row(page, "hopeless").getByRole("link");
    const first = await example.textContent();
    await call("DeadLetterService/Redrive",
      { queue: "exemplary", selection: { taskIds: [first] } });
    const other = first === "t-0" ? "t-1" : "t-0";
    await shows(example, other);
    assert.equal(await example.getAttribute("href"), `#/queues/exemplary/tasks/${other}`);
    await finish(page, "example");
  });

  test("takes no letter with an error for one without, where IDs can't be looked up", async () => {
    await makeQueue("silent", { tasks: 3, config: { maxFailures: 1, dedup: false } });
    const tasks = await work("silent", "w", 3);
    await fail(tasks.slice(0, 1), "");
    await fail(tasks.slice(1), "oops");
    const page = await open("queues/silent/dead");
    const dialog = page.getByRole("dialog");
    const silent = row(page, "no error text");
    await silent.getByText("only all together").waitFor();
    assert.equal(await silent.getByRole("button").count(), 0);
    await page.getByRole("button", { name: "Redrive all 3" }).waitFor();
    await page.screenshot({ path: "../screenshots/no-error-text.png" });

    await row(page, "oops").getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete 2 dead letters" }).click();
    await page.getByText("Deleted: 2 dead letters.").waitFor();
    await row(page, "oops").waitFor({ state: "detached" });
    assert.equal((await countsOf("silent")).dead, "1");

    await page.getByRole("button", { name: "Delete all 1" }).click();
    await dialog.getByText("So are those that die until it is done.").waitFor();
    await dialog.getByRole("button", { name: "Delete 1 dead letter" }).click();
    await page.getByText("No dead letters").waitFor();
    assert.equal((await countsOf("silent")).dead ?? "0", "0");
    await finish(page, "silent");
  });

  test("reads a task's history from publish to the dead letters, and redrives it", async () => {
    await makeQueue("storied", { tasks: 1, config: { maxFailures: 2, backoffMinMs: 0,
      backoffMaxMs: 0 } });
    const at = { pod: "ocr-9c", podNamespace: "batch", node: "spot-3" };
    await fail(await work("storied", "w1", 1, at), "no such file");
    const [task] = await work("storied", "w2", 1);
    const page = await open("queues/storied/tasks/t-0");
    const steps = page.locator(".story li");
    const step = (text) => steps.filter({ hasText: text });
    await shows(steps.nth(0), /^[-0-9: ]+Published$/);
    await shows(steps.nth(1), /Delivery 1: failed after .*worker w1pod ocr-9cnode spot-3no such/);
    await shows(steps.nth(2), /Delivery 2: at work for .* no progress told yet/);
    await call("TaskService/SaveCheckpoint", { leaseToken: task.leaseToken, data: "aGFsZg==" });
    await step("Delivery 2").getByText("a checkpoint is saved").waitFor();
    await shows(step("Delivery 2"), /last progress .* ago/);
    await fail([task], "Traceback\nCUDA out of memory");
    await step("Delivery 2: failed").getByText("it made the task a dead letter").waitFor();
    await step(/Dead letter: failures/).waitFor();
    await page.getByText('"page": 0').waitFor();
    await page.screenshot({ path: "../screenshots/history.png" });
    await page.getByRole("button", { name: "Redrive" }).click();
    await page.getByRole("button", { name: "Redrive 1 dead letter" }).click();
    await step("Redriven: ready again").waitFor();
    await step("Ready: waits for a worker").waitFor();
    assert.equal(await steps.count(), 5);
    await finish(page, "history-redriven");
  });

  test("finds a task by its ID, and looks into its result", async () => {
    await makeQueue("finished", { tasks: 3 });
    const tasks = await work("finished", "w", 3);
    await ack(tasks.slice(0, 1), '{"label":"cat","scores":[0.9,0.1]}');
    await ack(tasks.slice(1, 2), PNG);
    await ack(tasks.slice(2), Buffer.from([0, 1, 2, 255]));
    const page = await open("queues/finished/tasks");
    await page.getByLabel("Task ID").fill("t-0");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText('"label": "cat"').waitFor();
    await page.getByRole("link", { name: "Results" }).click();

    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "Preview t-1" }).click();
    await eventually(async () => assert.equal(
      await dialog.getByRole("img").evaluate((image) => image.naturalWidth), 1));
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Preview t-2" }).click();
    await dialog.getByText("00 01 02 ff").waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"),
      dialog.getByRole("button", { name: "Save" }).click()]);
    assert.equal(download.suggestedFilename(), "t-2.result");
    await finish(page, "result");
  });

  test("sees who works on what and where, and which leases are stuck", async () => {
    await makeQueue("busy", { tasks: 3 });
    const tasks = await work("busy", "ocr-7f", 3, { pod: "ocr-7f", node: "spot-3" });
    const page = await open("queues/busy/leases");
    await shows(await cell(page, "t-0", "Worker"), "ocr-7f");
    await shows(await cell(page, "t-0", "Node"), "spot-3");
    await page.getByText("0 stuck of 3 leases.").waitFor();
    // As it will be when the clock says so: t-1 was at work for an hour, and told progress.
    const begun = { "t-0": 60, "t-1": 60, "t-2": 3 };
    const moved = { "t-0": 20, "t-1": 5, "t-2": 3 };
    await page.route("**/ackd.v1.TaskService/List", async (route) => {
      const response = await route.fetch();
      const json = await response.json();
      const before = (unixMs, minutes) => String(Number(unixMs) - minutes * 60_000);
      for (const task of json.tasks ?? []) {
        task.leasedUnixMs = before(task.leasedUnixMs, begun[task.taskId]);
        task.progressUnixMs = before(task.progressUnixMs, moved[task.taskId]);
      }
      await route.fulfill({ response, json });
    });
    const stuck = (name) => row(page, name).getByText("stuck").isVisible();
    await row(page, "t-0").getByText("stuck").waitFor();
    assert.deepEqual([await stuck("t-1"), await stuck("t-2")], [false, false]);
    await page.getByText("1 stuck of 3 leases.").waitFor();
    assert.match(await (await cell(page, "t-0", "Age")).textContent(), /^1 h 00 m$/);
    assert.match(await (await cell(page, "t-1", "No progress")).textContent(), /^5 m \d\d s$/);
    await page.screenshot({ path: "../screenshots/leases.png" });
    await page.getByLabel("Stuck: without progress for").selectOption("5 m");
    await row(page, "t-1").getByText("stuck").waitFor();
    assert.equal(await stuck("t-2"), false);
    await page.getByRole("link", { name: "Sessions 1" }).click();
    await shows(await cell(page, "ocr-7f", "Leased"), "3");
    await shows(await cell(page, "ocr-7f", "Stuck"), "2");
    await shows(await cell(page, "ocr-7f", "Node"), "spot-3");
    await page.unrouteAll();

    const [asked] = await Promise.all([page.waitForRequest(/TaskService\/List/),
      page.getByRole("link", { name: "Leases 3" }).click()]);
    assert.equal(asked.postDataJSON().minStalledMs, undefined);
    await page.getByLabel("Only these").check();
    await page.getByText("Nothing is stuck").waitFor();
    await ack(tasks);
    await page.getByText("Nothing is leased").waitFor();
    await page.goto(`${url}/#/sessions`);
    await shows(await cell(page, "ocr-7f", "Pod"), "ocr-7f");
    await finish(page, "sessions");
  });

  test("sees the broker and its store", async () => {
    const page = await open("broker");
    await page.getByText("0.1.0").waitFor();
    await page.getByRole("table", { name: "Shards" }).getByText("lmdb").waitFor();
    await makeQueue("committed", { tasks: 1 });
    await assert.rejects(call("QueueService/Get", { name: "nowhere" }));
    for (const line of ["p50", "p99"]) {
      await shows(legend(page, "Commit latency", line), /^\d.* m?s$/);
    }
    await shows(await cell(page, "queue not found", "Count"), /^\d+$/);
    const percentiles = await page.evaluate(async () => {
      const { percentile } = await import("./dashboard/stats.js");
      const lately = { bounds: [10, 20, 40], counts: [0, 2, 2, 0] };
      return [0.25, 0.5, 0.75, 1].map((share) => percentile(lately, share));
    });
    assert.deepEqual(percentiles, [15, 20, 30, 40]);
    await finish(page, "broker");
  });
});
