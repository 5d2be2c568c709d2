// SPDX-License-Identifier: Apache-2.0
//
// poll.js -- asks again and again, while somebody looks.
//
// A round begins 2 s after the last, or later: polling takes at most a tenth of the time, so that a
// page with thousands of queues is no load. A hidden page asks nothing. Rounds of a view that was
// left are aborted.

const EVERY_MS = 2000;
const SHARE = 10;

export class Poller {
  // `round(signal)` asks and shows; what it throws goes to `failed`.
  constructor({ round, failed }) {
    this.round = round;
    this.failed = failed;
    this.timer = null;
    this.running = null;
    document.addEventListener("visibilitychange", () => this.soon());
  }

  // Begins a round at once, and drops the one under way.
  soon() {
    this.stop();
    if (!document.hidden) this.#run();
  }

  stop() {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
  }

  async #run() {
    const controller = new AbortController();
    const begun = performance.now();
    this.running = controller;
    try {
      await this.round(controller.signal);
    } catch (error) {
      if (controller.signal.aborted) return;
      this.failed(error);
    }
    if (this.running !== controller) return;
    const pause = Math.max(EVERY_MS, (performance.now() - begun) * SHARE);
    this.timer = setTimeout(() => this.#run(), pause);
  }
}
