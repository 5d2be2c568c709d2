// SPDX-License-Identifier: Apache-2.0
//
// history.js -- how queues stood while this page was open: the broker counts, the page remembers.

import { num } from "./format.js";

const WINDOW_MS = 10 * 60 * 1000;
const GAP_MS = 30 * 1000; // a hidden page asks nothing: no line is drawn over that time
const RATE_MS = 8 * 1000; // a rate is over at least this time, where there is so much
const QUEUES_REMEMBERED = 100; // whole histories; of further queues only what rates need

// Samples of counters and gauges, the oldest first: { at, ...what was counted }
export class History {
  samples = [];

  push(sample, now, window = WINDOW_MS) {
    const last = this.samples.at(-1);
    if (last && !this.continues(last, sample)) this.samples = [];
    this.samples.push({ at: now, ...sample });
    while (this.samples[0].at < now - window) this.samples.shift();
  }

  // Lately, a second; null while that can't be told.
  rate(field) {
    const pair = this.#lately();
    return pair && growth(pair[0], pair[1], field);
  }

  // [{ at, gap, values: [...] | null }]: null where no line is drawn. `valuesOf` is given a sample,
  // and the one before if no gap lies between.
  series(valuesOf) {
    return this.samples.map((sample, i) => {
      const before = this.samples[i - 1];
      const joined = before && sample.at - before.at < GAP_MS && sample.at > before.at;
      return { at: sample.at, gap: Boolean(before) && !joined,
        values: valuesOf(sample, joined ? before : null) || null };
    });
  }

  rates(fields) {
    return this.series((sample, before) => before && fields.map((field) => (
      growth(before, sample, field))));
  }

  #lately() {
    const last = this.samples.at(-1);
    const before = this.samples.findLast((sample) => sample.at <= last.at - RATE_MS) ??
      this.samples[0];
    return before && last.at > before.at ? [before, last] : null;
  }
}

// A second, from one sample to another.
function growth(before, after, field) {
  return (((after[field] ?? 0) - (before[field] ?? 0)) * 1000) / (after.at - before.at);
}

export class QueueHistory extends History {
  // Counters only grow: one that shrank belongs to another queue of the same name.
  continues(last, sample) {
    return sample.published >= last.published && sample.done >= last.done;
  }

  gauges(fields) {
    return this.series((sample) => fields.map((field) => sample[field]));
  }

  // How long the next task will have waited when it is leased.
  waits() {
    return this.series((sample) => sample.oldestReadyMs >= 0 && [sample.oldestReadyMs]);
  }

  // From lease to ack: the mean of the tasks acked between two samples; and the longest lease yet.
  works() {
    return this.series((sample, before) => [
      before && sample.done > before.done
        ? (sample.usefulMs - before.usefulMs) / (sample.done - before.done) : NaN,
      sample.oldestLeaseMs]);
  }
}

export function sampleOf(queue) {
  const counts = queue.counts ?? {};
  return {
    ready: num(counts.ready), delayed: num(counts.delayed), leased: num(counts.leased),
    dead: num(counts.dead), published: num(counts.published), done: num(counts.done),
    returned: num(queue.failures) + num(queue.losses) + num(queue.preemptions),
    usefulMs: num(queue.usefulLeaseMs), wastedMs: num(queue.wastedLeaseMs),
    oldestReadyMs: num(queue.oldestReadyMs), oldestLeaseMs: num(queue.oldestLeaseMs),
  };
}

export function sum(samples) {
  const total = sampleOf({});
  for (const sample of samples) {
    for (const name of Object.keys(total)) {
      total[name] = name.startsWith("oldest") ? Math.max(total[name], sample[name])
        : total[name] + sample[name];
    }
  }
  return total;
}

const histories = new Map();

export function historyOf(name) {
  if (!histories.has(name)) histories.set(name, new QueueHistory());
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
