// SPDX-License-Identifier: Apache-2.0
//
// crowd.test.mjs -- owners of thousands: what the page asks and shows stays bounded, and it says
// what it leaves out.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { callAt, close, eventually, finish, launch, live, open, row, shows }
  from "./browser.mjs";
import { OwnBroker } from "./own_broker.mjs";

const QUEUES = 2100; // of which 2,000 are listed
const SESSIONS = 2000;
const DEAD = 10_500; // of which 10,000 are grouped
const LEASED = 1500; // of which 1,000 are listed
const ROWS = 50; // that are elements at once
const AT_ONCE = 50;

describe("owners of thousands", { timeout: 120_000 }, () => {
  const broker = new OwnBroker();
  let base;
  let call;

  async function manyTimes(count, work) {
    for (let at = 0; at < count; at += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, i) => (
        work(at + i))));
    }
  }

  before(async () => {
    await broker.start();
    base = `http://${broker.address}`;
    call = (method, request) => callAt(base, method, request);
    await manyTimes(QUEUES - 1, (i) => call("QueueService/Create", {
      name: `crowd-${String(i).padStart(4, "0")}` }));
    await manyTimes(SESSIONS, (i) => call("SessionService/Open", { queue: "crowd-0007",
      worker: `worker-${i}`, node: `node-${i % 100}`, sessionMs: 600_000 }));
    await fill("deep");
    await launch();
  });
  after(async () => {
    await close();
    await broker.remove();
  });

  async function fill(queue) {
    await call("QueueService/Create", { name: queue, config: { maxFailures: 1 } });
    let leased = [];
    for (const tasks of [10_000, DEAD + LEASED - 10_000].map((count) => Array(count).fill({}))) {
      await call("TaskService/Publish", { queue, tasks, brief: true });
      const reply = await call("TaskService/Lease", { queue, maxTasks: 10_000, leaseMs: 600_000 });
      leased = leased.concat(reply.tasks);
    }
    const items = leased.slice(LEASED).map(({ leaseToken }, i) => (
      { leaseToken, reason: "NACK_REASON_FAILED", error: `kind ${i % 3}` }));
    await call("TaskService/Nack", { items: items.slice(0, 10_000) });
    await call("TaskService/Nack", { items: items.slice(10_000) });
  }

  test("see the first queues page by page, and find the others by name", async () => {
    const page = await open("", { base });
    const filter = page.getByLabel("Filter: Queues");
    await shows(page.locator(".place"), "1–50 of 2,000");
    await page.getByText("The first 2,000 queues of 2,100, and their sums.").waitFor();
    assert.equal(await page.locator("tbody tr").count(), ROWS);
    await page.getByRole("button", { name: "Next" }).click();
    await shows(page.locator(".place"), "51–100 of 2,000");
    await page.screenshot({ path: "../screenshots/thousands.png" });
    await filter.fill("crowd-0777");
    await row(page, "crowd-0777").waitFor();
    assert.equal(await page.locator("tbody tr").count(), 1);
    await filter.fill("deep"); // is none of the first
    await row(page, "deep").waitFor();
    await filter.fill("nothing like that");
    await page.getByText("Nothing matches the filter.").waitFor();
    await finish(page, "thousands-filtered");
  });

  test("see sessions page by page, and find them by worker and node", async () => {
    const page = await open("sessions", { base });
    await page.getByText("2,000 sessions on 100 nodes, holding 0 leases").waitFor();
    await shows(page.locator(".place"), "1–50 of 2,000");
    await page.getByLabel("Filter: Sessions").fill("node-42");
    await eventually(async () => assert.equal(await page.locator("tbody tr").count(), 20));
    await page.goto(`${base}/#/queues/crowd-0007/sessions`);
    await shows(page.locator(".place"), "1–50 of 2,000");
    await finish(page, "sessions-2000");
  });

  test("see the first leases, and the first stuck ones of all", async () => {
    const page = await open("queues/deep/leases", { base });
    await page.getByText("0 stuck of 1,500 leases. Listed are the first 1,000.").waitFor();
    await shows(page.locator(".place"), "1–50 of 1,000");
    await page.getByLabel("Only these").check();
    await page.getByText("Nothing is stuck").waitFor();
    await finish(page, "leases-1500");
  });

  test("act on all dead letters, whose groups are of the first", async () => {
    const page = await open("queues/deep/dead", { base });
    await page.getByText("Grouped are the first 10,000 of 10,500 dead letters.").waitFor();
    await row(page, "kind 0").waitFor();
    await page.getByRole("button", { name: "Redrive all 10,500" }).click();
    await page.getByRole("button", { name: "Redrive 10,500 dead letters" }).click();
    await page.getByText("Redriven: 10,500 dead letters.").waitFor();
    await page.getByText("No dead letters").waitFor();
    await live(page);
    const { counts } = (await call("QueueService/Get", { name: "deep" })).queue;
    assert.deepEqual([counts.ready, counts.leased], [String(DEAD), String(LEASED)]);
    await finish(page, "dead-10500");
  });
});
