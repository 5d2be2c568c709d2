// SPDX-License-Identifier: Apache-2.0
//
// stats.js -- the broker's own numbers over the time that this page was open: what all shards did
// together.

import { num, word } from "./format.js";
import { History } from "./history.js";

const NS_PER_MS = 1e6;
const HISTOGRAMS = ["commitNs", "batchNs", "batchCommands"];

class StatsHistory extends History {
  // Another process counts from 0.
  continues(last, sample) {
    return sample.startedMs === last.startedMs;
  }

  // How long commits took between two samples, in ms: [p50, p99 of the store's part, p99 of all]
  commits() {
    return this.series((sample, before) => before && sample.commits > before.commits && [
      percentile(between(before.commitNs, sample.commitNs), 0.5) / NS_PER_MS,
      percentile(between(before.commitNs, sample.commitNs), 0.99) / NS_PER_MS,
      percentile(between(before.batchNs, sample.batchNs), 0.99) / NS_PER_MS]);
  }

  // Calls that shared a commit: [mean, p99]
  batches() {
    return this.series((sample, before) => {
      if (!before || sample.commits <= before.commits) return null;
      const lately = between(before.batchCommands, sample.batchCommands);
      return [meanOf(lately), Math.ceil(percentile(lately, 0.99))];
    });
  }

  used() {
    return this.series((sample) => [sample.usedBytes]);
  }
}

export const statsHistory = new StatsHistory();

// A reply of AdminService.Stats, as one broker without shards.
export function totalsOf(stats) {
  const shards = stats.shards ?? [];
  const add = (field) => shards.reduce((sum, shard) => sum + num(shard[field]), 0);
  const totals = {
    startedMs: num(stats.startedUnixMs), requests: num(stats.requests),
    refused: num(stats.refused), commits: add("commits"),
    usedBytes: add("usedBytes"), mapBytes: add("mapBytes"), limitBytes: add("publishLimitBytes"),
    queues: add("queues"), sessions: add("sessions"), leases: add("leases"),
  };
  for (const field of HISTOGRAMS) {
    totals[field] = shards.map((shard) => histogramOf(shard[field])).reduce(merged);
  }
  for (const { status, count } of stats.refusals ?? []) totals[status] = num(count);
  return totals;
}

// "STATUS_QUEUE_NOT_FOUND" and the like -> "queue not found"
export function reasonOf(status) {
  return word(status, "STATUS_");
}

export function histogramOf({ bounds, counts, sum }) {
  return { bounds: bounds.map(num), counts: counts.map(num), sum: num(sum) };
}

function merged(one, other) {
  return { ...one, counts: one.counts.map((count, i) => count + other.counts[i]),
    sum: one.sum + other.sum };
}

function between(before, after) {
  return { ...after, counts: after.counts.map((count, i) => count - before.counts[i]),
    sum: after.sum - before.sum };
}

// NaN if there are no values.
export function meanOf({ counts, sum }) {
  return sum / counts.reduce((all, count) => all + count, 0);
}

// The value that this share of the values is at most, as if they lay evenly between the bounds;
// NaN if there are none.
export function percentile({ bounds, counts }, share) {
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  let below = 0;
  for (let i = 0; i < bounds.length; i++) {
    const low = i === 0 ? 0 : bounds[i - 1];
    if (counts[i] > 0 && below + counts[i] >= wanted) {
      return low + ((bounds[i] - low) * (wanted - below)) / counts[i];
    }
    below += counts[i];
  }
  return below === 0 && wanted === 0 ? NaN : bounds.at(-1);
}
