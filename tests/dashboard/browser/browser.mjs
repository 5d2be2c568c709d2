// SPDX-License-Identifier: Apache-2.0
//
// browser.mjs -- a Chromium for a file of tests, pages that tell what went wrong in them, and the
// broker's calls.
import assert from "node:assert/strict";
import path from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";

export const url = process.env.ACKD_URL;
const PATIENCE_MS = 15_000;
const SCREENSHOTS = path.resolve("../screenshots");

let browser;

export async function launch() {
  // Root's Chromium has no sandbox of its own; the pages are ours.
  browser = await chromium.launch({ executablePath: process.env.ACKD_CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export async function close() {
  await browser?.close();
}

// A page of its own session; `problems` are console errors, exceptions, breaches of the policy and
// requests to elsewhere. Requests that the broker is to refuse: `refusals`.
export async function open(route, { refusals = false, base = url, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = [];
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    const expected = refusals && /Failed to load resource/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !expected) problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${base}/`) && !/^(data|blob):/.test(request.url())) {
      problems.push(`request to elsewhere: ${request.url()}`);
    }
  });
  await page.goto(`${base}/#/${route}`);
  return Object.assign(page, { problems });
}

// What every test ends with: a picture, and nothing that went wrong unseen.
export async function finish(page, name) {
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
  await page.context().close();
  assert.deepEqual(page.problems, []);
}

export async function live(page) {
  await page.locator('#connection[data-state="live"]').waitFor();
}

// What checks for accessibility find in the page as it stands: names, roles, landmarks, contrast;
// or of these only what the rules look for.
export async function barriers(page, rules = null) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((runOnly) => (
    globalThis.axe.run(document, { resultTypes: ["violations"], ...(runOnly && { runOnly }) })),
  rules);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

// The table's row that has this text.
export function row(page, text) {
  return page.locator("tbody tr").filter({ hasText: text });
}

// Waits until a locator shows exactly this text, or one that the pattern fits.
export async function shows(locator, wanted) {
  await eventually(async () => {
    const text = (await locator.textContent({ timeout: 1000 })).trim();
    if (wanted instanceof RegExp) assert.match(text, wanted);
    else assert.equal(text, wanted);
  });
}

// The cell below a heading, in that row.
export async function cell(page, rowText, heading) {
  await row(page, rowText).waitFor();
  const heads = await row(page, rowText).locator("xpath=ancestor::table").locator("thead th")
    .allTextContents();
  const at = heads.indexOf(heading);
  assert.notEqual(at, -1, `${heading} is none of ${heads}`);
  return row(page, rowText).locator("td").nth(at);
}

// The value behind a line's name below a chart.
export function legend(page, chart, line) {
  return page.locator("figure").filter({ hasText: chart })
    .locator("li").filter({ hasText: new RegExp(`^${line} `) }).locator("b");
}

export async function eventually(check) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }
}

export function call(method, request) {
  return callAt(url, method, request);
}

export async function callAt(base, method, request) {
  const reply = await fetch(`${base}/ackd.v1.${method}`, { method: "POST",
    headers: { "content-type": "application/json" }, body: JSON.stringify(request) });
  const body = await reply.json();
  assert.ok(reply.ok, `${method}: ${body.message}`);
  return body;
}

export function base64(text) {
  return Buffer.from(text).toString("base64");
}

// A queue with so many tasks t-0, t-1, ... in dataset d.
export async function makeQueue(queue, { tasks = 0, config = {}, dataset = "d" } = {}) {
  await call("QueueService/Create", { name: queue, config });
  const made = Array.from({ length: tasks }, (_, i) => (
    { taskId: `t-${i}`, payload: base64(`{"page":${i}}`) }));
  if (tasks > 0) await call("TaskService/Publish", { queue, dataset, tasks: made });
}

// Leases so many tasks by a session of this worker, in that pod, on that node.
export async function work(queue, worker, maxTasks, at = {}) {
  const { sessionId } = await call("SessionService/Open", { queue, worker, sessionMs: 600_000,
    ...at });
  const { tasks = [] } = await call("TaskService/Lease", { queue, sessionId, maxTasks });
  assert.equal(tasks.length, maxTasks);
  return tasks;
}

export async function ack(tasks, result = "fine") {
  await call("TaskService/Ack", { items: tasks.map(({ leaseToken }) => (
    { leaseToken, result: Buffer.from(result).toString("base64") })) });
}

export async function fail(tasks, error) {
  await call("TaskService/Nack", { items: tasks.map(({ leaseToken }) => (
    { leaseToken, reason: "NACK_REASON_FAILED", error })) });
}
