// SPDX-License-Identifier: Apache-2.0
//
// people.test.mjs -- keyboards, phones, dark rooms, eyes and ears that differ.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ack, barriers, call, close, eventually, fail, finish, launch, live, makeQueue, open, row,
  url, work } from "./browser.mjs";

const LONG = `page-${"0123456789".repeat(12)}`;

describe("the page is for", { timeout: 120_000 }, () => {
  before(async () => {
    await launch();
    await makeQueue("usual", { tasks: 9, config: { maxFailures: 1 } });
    await call("TaskService/Publish", { queue: "usual", dataset: LONG, tasks: [{ taskId: LONG }] });
    const tasks = await work("usual", `${LONG}.node`, 9);
    await ack(tasks.slice(0, 3), `{"text":"${LONG}"}`);
    await fail(tasks.slice(3, 6), `${LONG} ${LONG}`);
  });
  after(close);

  // Tab by tab to the element that the selector names.
  async function tabTo(page, selector) {
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    }
    assert.fail(`${selector} is not reached by Tab`);
  }

  test("who has a keyboard alone", async () => {
    await makeQueue("typed", { tasks: 1 });
    const page = await open("");
    await row(page, "typed").waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    await tabTo(page, "input.filter");
    await page.keyboard.type("typed");
    await tabTo(page, 'a[href="#/queues/typed"]');
    assert.notEqual("none", await page.evaluate(() => (
      getComputedStyle(document.activeElement).outlineStyle)));
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await tabTo(page, ".head button");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Enter"); // the question's answer has the focus
    await page.getByRole("button", { name: "Resume" }).waitFor();
    assert.ok((await call("QueueService/Get", { name: "typed" })).queue.paused);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Resume");
    await finish(page, "keyboard");
  });

  test("a refresh, which leaves the focus where it is", async () => {
    const page = await open("queues/usual/dead");
    const button = page.locator("tbody").getByRole("button", { name: "Redrive" });
    await button.focus();
    for (let rounds = 0; rounds < 2; rounds++) {
      await page.waitForResponse((response) => response.url().includes("QueueService/Get"));
    }
    await live(page);
    assert.equal(await button.evaluate((element) => element === document.activeElement), true);
    await finish(page, "focus");
  });

  for (const [width, colorScheme, rules] of [[320, "light", null],
    [768, "dark", ["color-contrast"]]]) {
    test(`a ${colorScheme} screen of ${width} px, without barriers or scroll bars`, async () => {
      const page = await open("", { viewport: { width, height: 740 }, colorScheme });
      for (const [name, route] of Object.entries({ queues: "", queue: "queues/usual",
        leases: "queues/usual/leases", sessions: "queues/usual/sessions",
        tasks: "queues/usual/tasks", task: `queues/usual/tasks/${LONG}`, dead: "queues/usual/dead",
        letter: "queues/usual/tasks/t-4", results: "queues/usual/results", all: "sessions",
        broker: "broker" })) {
        await page.goto(`${url}/#/${route}`);
        await live(page);
        await eventually(async () => assert.equal(await page.locator("main > section").count(), 1));
        const excess = await page.evaluate(() => (
          document.documentElement.scrollWidth - document.documentElement.clientWidth));
        assert.equal(excess, 0, `${name} is ${excess} px too wide`);
        await page.screenshot({ path: `../screenshots/${width}-${name}.png`, fullPage: true });
        assert.deepEqual(await barriers(page, rules), [], name);
      }
      await page.goto(`${url}/#/queues/usual/dead`);
      const button = page.locator("tbody").getByRole("button", { name: "Delete" });
      await button.waitFor();
      const { x, width: wide } = await button.boundingBox();
      assert.ok(x + wide <= width, "the button is within the screen");
      await button.click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await barriers(page, rules), [], "question");
      await finish(page, `${width}`);
    });
  }

  test("who likes it dark, by the system or by choice", async () => {
    const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const page = await open("queues/usual", { colorScheme: "dark", reducedMotion: "reduce" });
    await live(page);
    assert.equal(await page.locator("main").evaluate((main) => (
      getComputedStyle(main).transitionDuration)), "0s");
    assert.equal(await ground(page), "rgb(15, 18, 22)");
    await page.screenshot({ path: "../screenshots/dark.png" });
    await page.getByRole("button", { name: "Theme: system" }).click();
    await page.getByRole("button", { name: "Theme: light" }).waitFor();
    assert.equal(await ground(page), "rgb(246, 247, 249)");
    await page.reload();
    await page.getByRole("button", { name: "Theme: light" }).waitFor();
    assert.equal(await ground(page), "rgb(246, 247, 249)");
    await finish(page, "light-by-choice");
  });
});
