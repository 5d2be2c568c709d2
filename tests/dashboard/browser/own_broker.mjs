// SPDX-License-Identifier: Apache-2.0
//
// own_broker.mjs -- a broker that a file of tests has for itself: filled, killed, started anew,
// with flags of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { eventually } from "./browser.mjs";

const BUILD = process.env.ACKD_BUILD_DIR;

const ACKD = path.join(BUILD, "broker/daemon/ackd");
export const ACKCTL = path.join(BUILD, "cli/ackctl");

export class OwnBroker {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "ackd-own-"));
  port = 0; // the same again after a restart

  file(name) {
    return path.join(this.directory, name);
  }

  async start(...flags) {
    fs.rmSync(this.file("ports"), { force: true });
    this.process = spawn(ACKD, ["--data-dir", this.file("data"), "--listen",
      `127.0.0.1:${this.port}`, "--port-file", this.file("ports"), ...flags], { stdio: "ignore" });
    await eventually(() => {
      this.address = fs.readFileSync(this.file("ports"), "utf8").trim();
      this.port = new URL(`http://${this.address}`).port;
    });
  }

  async kill() {
    if (!this.process) return;
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  async remove() {
    await this.kill();
    fs.rmSync(this.directory, { recursive: true });
  }
}
