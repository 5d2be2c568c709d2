// SPDX-License-Identifier: Apache-2.0
//
// login.test.mjs -- the page of a broker that speaks TLS and wants to know who calls; that forgets
// who it knew, and is started anew while the page is open.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";

import { barriers, close, finish, launch, live, open } from "./browser.mjs";
import { ACKCTL, OwnBroker } from "./own_broker.mjs";

describe("a broker with tokens", { timeout: 60_000 }, () => {
  const broker = new OwnBroker();
  const ackctl = (...words) => execFileSync(ACKCTL, words, { encoding: "utf8", env: {
    ...process.env, ACKD_URL: base, ACKD_TOKEN_FILE: broker.file("admin"),
    ACKD_CA_FILE: broker.file("cert"),
  } }).trim();
  const visit = (route) => open(route, { base, refusals: true, ignoreHTTPSErrors: true });
  let base;
  let admin;
  let reader;

  async function start() {
    await broker.start("--admin-token-file", broker.file("admin"), "--tls-cert",
      broker.file("cert"), "--tls-key", broker.file("key"));
    base = `https://${broker.address}`;
  }

  before(async () => {
    admin = execFileSync(ACKCTL, ["token", "generate"], { encoding: "utf8" }).trim();
    fs.writeFileSync(broker.file("admin"), `${admin}\n`, { mode: 0o600 });
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt",
      "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=ackd", "-addext",
      "subjectAltName=IP:127.0.0.1", "-keyout", broker.file("key"), "-out", broker.file("cert")],
    { stdio: "ignore" });
    await start();
    ackctl("queue", "create", "open-1");
    ackctl("queue", "create", "secret-1");
    reader = ackctl("token", "create", "reader", "--grant", "read:open-*");
    await launch();
  });
  after(async () => {
    await close();
    await broker.remove();
  });

  async function logIn(page, token) {
    await page.getByLabel("Token").fill(token);
    await page.keyboard.press("Enter");
  }

  test("refuses a wrong token with its sentence, and lets the right one in", async () => {
    const page = await visit("");
    await logIn(page, "ackd_nobody_0123456789");
    await page.getByText("It said:").waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
    assert.deepEqual(await barriers(page), []);
    await page.screenshot({ path: "../screenshots/refused.png" });
    await logIn(page, "two words");
    assert.match(await page.getByLabel("Token").evaluate((input) => input.validationMessage),
      /one word/);
    await logIn(page, admin);
    await page.getByRole("link", { name: "secret-1" }).waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...localStorage })), {});
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), { "ackd-token": admin });
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Token").waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
    await finish(page, "logged-out-for-real");
  });

  test("shows a reader the reader's queues, and says what a reader may not do", async () => {
    const page = await visit("");
    await logIn(page, reader);
    await page.getByRole("link", { name: "open-1" }).waitFor();
    assert.equal(await page.getByRole("link", { name: "secret-1" }).count(), 0);
    assert.equal(await page.getByText("Commit latency").isVisible(), false);
    assert.equal(await page.getByRole("link", { name: "Broker" }).isVisible(), false);
    await page.getByText("token:reader").waitFor();

    await page.getByRole("link", { name: "open-1" }).click();
    await page.getByText("Read only: what changes it takes the right admin").waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause" }).isVisible(), false);
    await page.screenshot({ path: "../screenshots/read-only.png" });
    await page.goto(`${base}/#/broker`);
    await page.getByText(/read.* on all queues/).waitFor();
    await finish(page, "reader");
  });

  test("hides everything from a token that is revoked, and lets another one in", async () => {
    const page = await visit("queues/secret-1");
    const guest = ackctl("token", "create", "guest", "--grant", "read:*");
    await logIn(page, guest);
    await page.getByRole("heading", { name: "secret-1" }).waitFor();
    ackctl("token", "revoke", guest.split("_")[1]);
    await page.getByText("It said:").waitFor();
    assert.equal(await page.getByText("secret-1").count(), 0);
    assert.deepEqual(await page.evaluate(() => ({ ...sessionStorage })), {});
    await logIn(page, admin);
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await finish(page, "revoked");
  });

  test("says why a token does not count any more that somebody acts with", async () => {
    const page = await visit("queues/secret-1");
    const guest = ackctl("token", "create", "guest-2", "--grant", "admin:*");
    await logIn(page, guest);
    await page.getByRole("button", { name: "Pause" }).click();
    const asked = [];
    page.on("request", (request) => asked.push(request.headers()));
    // Only the act is answered: no round of polling hears of it before.
    await page.route(/ackd\.v1\..*\/(?!Pause$)/, () => {});
    ackctl("token", "revoke", guest.split("_")[1]);
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.getByText("It said:").waitFor();
    assert.deepEqual(asked.filter((headers) => !headers.authorization), []);
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await finish(page, "acted-in-vain");
  });

  test("is missed while it restarts, and found again", async () => {
    const page = await visit("queues/open-1");
    await logIn(page, reader);
    await live(page);
    await broker.kill();
    await page.getByRole("alert").getByText("No contact: The broker does not answer.").waitFor();
    await start();
    await live(page);
    await page.getByRole("alert").waitFor({ state: "hidden" });
    await page.getByRole("heading", { name: "open-1" }).waitFor();
    await finish(page, "restarted");
  });
});
