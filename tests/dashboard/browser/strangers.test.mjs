// SPDX-License-Identifier: Apache-2.0
//
// strangers.test.mjs -- what the page must not do: run what lies in a queue, call elsewhere, keep a
// token, or claim to be live when nobody answers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ack, base64, call, close, eventually, fail, finish, launch, live, makeQueue, open, shows,
  url, work } from "./browser.mjs";

const HOSTILE = "<img src=x onerror=\"window.broken=1\"><script>window.broken=1</script>'&lt;" +
  "\u202e";
const TOKEN = "ackd_k1_0123456789abcdef";

describe("the page", { timeout: 120_000 }, () => {
  before(launch);
  after(close);

  test("shows hostile texts as texts, wherever they stand", async () => {
    await makeQueue("hostile", { config: { maxFailures: 1 } });
    await call("TaskService/Publish", { queue: "hostile", dataset: HOSTILE,
      tasks: ["dead", "done", "held"].map((name) => ({ taskId: `${name} ${HOSTILE}`,
        payload: base64(HOSTILE), attributes: { [HOSTILE]: HOSTILE } })) });
    const [dead, done] = await work("hostile", HOSTILE, 3);
    await fail([dead], HOSTILE);
    await ack([done], HOSTILE);
    const page = await open("queues/hostile");
    const id = (name) => encodeURIComponent(`${name} ${HOSTILE}`);
    for (const route of ["queues/hostile", "queues/hostile/leases", "queues/hostile/sessions",
      "sessions", "queues/hostile/tasks", "queues/hostile/dead", "queues/hostile/results",
      ...["dead", "done", "held"].map((name) => `queues/hostile/tasks/${id(name)}`)]) {
      await page.goto(`${url}/#/${route}`);
      await page.locator("main").getByText(HOSTILE).first().waitFor();
    }
    await page.goto(`${url}/#/queues/hostile/results`);
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("dialog").getByText(HOSTILE).first().waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    await finish(page, "hostile");
  });

  test("would not run a script even if one got into it", async () => {
    const page = await open("");
    await live(page);
    const breach = await page.evaluate(() => new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => (
        resolve(event.violatedDirective)));
      const script = document.createElement("script");
      script.textContent = "window.broken = 1";
      document.body.append(script);
    }));
    assert.match(breach, /^script-src/);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    const named = page.problems.splice(0);
    assert.notEqual(named.length, 0);
    for (const text of named) assert.match(text, /Content Security Policy/);
    await finish(page, "policy");
  });

  test("asks for a token when the broker wants one, and keeps it in the tab alone", async () => {
    await makeQueue("guarded", { tasks: 1 });
    const page = await open("", { refusals: true });
    // The broker behind a guard that speaks as a broker with authentication does.
    await page.route("**/ackd.v1.**", async (route) => {
      if (route.request().headers().authorization === `Bearer ${TOKEN}`) return route.continue();
      return route.fulfill({ status: 401, contentType: "application/json",
        body: JSON.stringify({ code: "unauthenticated", message: "the token is not known" }) });
    });
    await page.getByLabel("Token").fill("ackd_wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("It said: the token is not known").waitFor();
    await page.screenshot({ path: "../screenshots/login.png" });
    await page.getByLabel("Token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("table", { name: "Queues" }).waitFor();
    await page.goto(`${url}/#/queues/guarded`);
    await page.route("**/ackd.v1.QueueService/Pause", (route) => route.fulfill({ status: 403,
      contentType: "application/json", body: JSON.stringify({ code: "permission_denied",
        message: "the right admin is missing on guarded" }) }));
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.getByRole("alert").getByText("The right admin is missing on guarded.").waitFor();
    await page.screenshot({ path: "../screenshots/denied.png" });
    await page.getByRole("button", { name: "Dismiss" }).click();
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), { "ackd-token": TOKEN });
    assert.deepEqual(await page.evaluate(() => ({ ...localStorage })), {});
    assert.equal(await page.evaluate(() => document.cookie), "");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Token").waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
    await finish(page, "logged-out");
  });

  test("says when the broker does not answer, and goes on when it does", async () => {
    await makeQueue("lasting", { tasks: 2 });
    const page = await open("queues/lasting", { refusals: true });
    await live(page);
    await page.context().setOffline(true);
    await page.getByRole("alert").getByText("No contact: The broker does not answer.").waitFor();
    await shows(page.locator("#connection"), "No contact");
    await page.screenshot({ path: "../screenshots/away.png" });
    await page.context().setOffline(false);
    await live(page);
    await page.getByRole("alert").waitFor({ state: "hidden" });
    await finish(page, "back");
  });

  test("asks nothing while nobody looks", async () => {
    const page = await open("");
    await live(page);
    let asked = 0;
    page.on("request", () => { asked += 1; });
    await page.clock.install();
    const hide = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await hide(true);
    await live(page);
    asked = 0;
    await page.clock.runFor(60_000);
    assert.equal(asked, 0);
    await hide(false);
    await eventually(() => assert.ok(asked > 0));
    await finish(page, "seen-again");
  });
});
