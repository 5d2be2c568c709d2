// SPDX-License-Identifier: Apache-2.0
//
// history.js -- how queues stood while this page was open: the broker counts, the page remembers.

import { num } from "./format.js";

const WINDOW_MS = 10 * 60 * 1000;
const GAP_MS = 30 * 1000; // a hidden page asks nothing: no line is drawn over that time
const RATE_MS = 8 * 1000; // a rate is over at least this time, where there is so much
const QUEUES_REMEMBERED = 100; // whole histories; of further queues only what rates need

const GAUGES = ["ready", "delayed", "leased", "dead"];
const histories = new Map();

export function sampleOf(queue) {
  const counts = queue.counts ?? {};
  return {
    ready: num(counts.ready), delayed: num(counts.delayed), leased: num(counts.leased),
    dead: num(counts.dead), published: num(counts.published), done: num(counts.done),
    returned: num(queue.failures) + num(queue.losses) + num(queue.preemptions),
    usefulMs: num(queue.usefulLeaseMs), wastedMs: num(queue.wastedLeaseMs),
  };
}

export function sum(samples) {
  const total = sampleOf({});
  for (const sample of samples) {
    for (const name of Object.keys(total)) total[name] += sample[name];
  }
  return total;
}

export function historyOf(name) {
  if (!histories.has(name)) histories.set(name, new History());
  return histories.get(name);
}

// Remembers queues that were listed, and forgets those that are gone.
export function record(queues, now) {
  const window = queues.length > QUEUES_REMEMBERED ? 2 * RATE_MS : WINDOW_MS;
  const names = new Set(queues.map((queue) => queue.name));
  for (const queue of queues) historyOf(queue.name).push(sampleOf(queue), now, window);
  for (const name of histories.keys()) {
    if (name !== "" && !names.has(name)) histories.delete(name);
  }
}

export class History {
  samples = []; // { at, ...sampleOf() }

  push(sample, now, window = WINDOW_MS) {
    const last = this.samples.at(-1);
    // Counters only grow: one that shrank belongs to another queue of the same name.
    if (last && (sample.published < last.published || sample.done < last.done)) this.samples = [];
    this.samples.push({ at: now, ...sample });
    while (this.samples[0].at < now - window) this.samples.shift();
  }

  // Lately, a second; null while that can't be told.
  rate(field) {
    const pair = this.#lately();
    return pair && ((pair[1][field] - pair[0][field]) * 1000) / (pair[1].at - pair[0].at);
  }

  gauges() {
    return this.#series((sample) => GAUGES.map((name) => sample[name]));
  }

  rates() {
    return this.#series((sample, before) => before && ["published", "done", "returned"].map(
      (name) => ((sample[name] - before[name]) * 1000) / (sample.at - before.at)));
  }

  // From lease to ack: the mean of the tasks acked between two samples, in ms.
  leaseTimes() {
    return this.#series((sample, before) => before && sample.done > before.done &&
      [(sample.usefulMs - before.usefulMs) / (sample.done - before.done)]);
  }

  #lately() {
    const last = this.samples.at(-1);
    const before = this.samples.findLast((sample) => sample.at <= last.at - RATE_MS) ??
      this.samples[0];
    return before && last.at > before.at ? [before, last] : null;
  }

  // [{ at, values: [...] | null }]: null where no line is drawn.
  #series(valuesOf) {
    return this.samples.map((sample, i) => {
      const before = this.samples[i - 1];
      const joined = before && sample.at - before.at < GAP_MS && sample.at > before.at;
      return { at: sample.at, gap: Boolean(before) && !joined,
        values: valuesOf(sample, joined ? before : null) || null };
    });
  }
}
