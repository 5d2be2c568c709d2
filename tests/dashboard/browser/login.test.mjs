// SPDX-License-Identifier: Apache-2.0
//
// login.test.mjs -- the page of a broker that wants to know who calls.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { close, eventually, finish, launch, open } from "./browser.mjs";

const BUILD = process.env.ACKD_BUILD_DIR;

const ACKD = path.join(BUILD, "broker/daemon/ackd");
const ACKCTL = path.join(BUILD, "cli/ackctl");

describe("a broker with tokens", { timeout: 60_000 }, () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ackd-login-"));
  const ackctl = (...words) => execFileSync(ACKCTL, words, { encoding: "utf8",
    env: { ...process.env, ACKD_URL: base, ACKD_TOKEN_FILE: path.join(directory, "admin") } });
  let base;
  let broker;
  let admin;
  let reader;

  before(async () => {
    admin = execFileSync(ACKCTL, ["token", "generate"], { encoding: "utf8" }).trim();
    fs.writeFileSync(path.join(directory, "admin"), `${admin}\n`, { mode: 0o600 });
    broker = spawn(ACKD, ["--data-dir", path.join(directory, "data"), "--listen",
      "127.0.0.1:0", "--port-file", path.join(directory, "ports"),
      "--admin-token-file", path.join(directory, "admin")], { stdio: "ignore" });
    await eventually(() => {
      base = `http://${fs.readFileSync(path.join(directory, "ports"), "utf8").trim()}`;
    });
    ackctl("queue", "create", "open-1");
    ackctl("queue", "create", "secret-1");
    reader = ackctl("token", "create", "reader", "--grant", "read:open-*").trim();
    await launch();
  });
  after(async () => {
    await close();
    broker?.kill("SIGKILL");
    fs.rmSync(directory, { recursive: true });
  });

  async function logIn(page, token) {
    await page.getByLabel("Token").fill(token);
    await page.keyboard.press("Enter");
  }

  test("refuses a wrong token with its sentence, and lets the right one in", async () => {
    const page = await open("", { base, refusals: true });
    await logIn(page, "ackd_nobody_0123456789");
    await page.getByRole("dialog").getByText("It said:").waitFor();
    await page.screenshot({ path: "../screenshots/refused.png" });
    await logIn(page, admin);
    await page.getByRole("link", { name: "secret-1" }).waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...localStorage })), {});
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), { "ackd-token": admin });
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("dialog").getByLabel("Token").waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
    await finish(page, "logged-out-for-real");
  });

  test("shows a reader the reader's queues, and says what a reader may not do", async () => {
    const page = await open("", { base, refusals: true });
    await logIn(page, reader);
    await page.getByRole("link", { name: "open-1" }).click();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.locator("#notice .error").waitFor();
    await page.screenshot({ path: "../screenshots/denied.png" });
    await page.goto(`${base}/#/`);
    await page.getByRole("link", { name: "open-1" }).waitFor();
    assert.equal(await page.getByRole("link", { name: "secret-1" }).count(), 0);
    await finish(page, "reader");
  });
});
