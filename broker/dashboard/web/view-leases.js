// SPDX-License-Identifier: Apache-2.0
//
// view-leases.js -- what is being worked on: by whom, for how long, and what seems stuck.
//
// Stuck is what is kept alive while nothing comes of it. The broker can't look into a worker, so
// this is a guess by age: a lease held five times as long as this queue's tasks take on average,
// and a minute at least. A task with a checkpoint has shown that it gets on, and has four times as
// long.

import { brokerNow, call } from "./api.js";
import { empty, h, link, setText } from "./dom.js";
import { count, duration, NONE, num, time } from "./format.js";
import { Table } from "./table.js";

const LEASES_MAX = 1000;
const STUCK_FACTOR = 5;
const STUCK_MIN_MS = 60 * 1000;
const STUCK_UNKNOWN_MS = 10 * 60 * 1000; // while nothing is done yet
const CHECKPOINT_FACTOR = 4;
const MEAN_NEEDS = 5; // done tasks

function stuckAfterMs(queue) {
  const done = num(queue.counts?.done);
  if (done < MEAN_NEEDS) return STUCK_UNKNOWN_MS;
  return Math.max(STUCK_MIN_MS, (num(queue.usefulLeaseMs) / done) * STUCK_FACTOR);
}

// The queue's leases, each with `worker`, `ageMs` and `stuck`; and its sessions.
export async function askLeases(queue, signal) {
  const [tasks, sessions] = await Promise.all([
    call("TaskService/List", { queue: queue.name, state: "TASK_STATE_LEASED",
      pageSize: LEASES_MAX }, signal),
    call("SessionService/List", { queue: queue.name }, signal),
  ]);
  const workers = new Map((sessions.sessions ?? []).map((session) => [session.sessionId, session]));
  const now = brokerNow();
  const leases = (tasks.tasks ?? []).map((task) => {
    const ageMs = Math.max(0, now - num(task.leasedUnixMs));
    return { ...task, ageMs, worker: workers.get(task.sessionId)?.worker ?? "",
      stuck: ageMs > stuckAfterMs(queue) * (task.hasCheckpoint ? CHECKPOINT_FACTOR : 1) };
  });
  return { leases, sessions: sessions.sessions ?? [], whole: !tasks.nextPageToken };
}

export function leasesTab(context, name) {
  const says = h("p", { class: "muted" });
  const table = new Table({
    label: "Leases", columns: columnsOf(name), key: (task) => task.taskId, sort: "Age",
    descending: true, filter: (task) => `${task.taskId} ${task.worker} ${task.dataset ?? ""}`,
    empty: empty("Nothing is leased", "Workers hold no task of this queue."),
  });

  return {
    element: h("div", {}, says, table.element),
    async round(signal, queue) {
      const { leases, whole } = await askLeases(queue, signal);
      const stuck = leases.filter((task) => task.stuck).length;
      setText(says, leases.length === 0 ? "" :
        `${whole ? "" : `The first ${count(leases.length)} of ${count(queue.counts?.leased)}. `}` +
        `${count(stuck)} stuck: held for over ${duration(stuckAfterMs(queue))}, or with a ` +
        `checkpoint for over ${duration(stuckAfterMs(queue) * CHECKPOINT_FACTOR)}.`);
      table.show(leases);
    },
  };
}

function columnsOf(name) {
  const number = (title, field) => ({ title, number: true, minor: true,
    value: (task) => num(task[field]), cell: (task) => count(task[field]) });

  return [
    { title: "Task", wide: true, value: (task) => task.taskId,
      node: (task) => h("span", {}, link(task.taskId, "queues", name, "tasks", task.taskId),
        h("span", { class: "chip bad" }, "stuck")),
      refresh: (element, task) => { element.lastChild.hidden = !task.stuck; } },
    { title: "Worker", wide: true, value: (task) => task.worker,
      cell: (task) => task.worker || (task.sessionId ? "unnamed" : "no session") },
    { title: "Age", number: true, value: (task) => task.ageMs,
      cell: (task) => duration(task.ageMs) },
    { title: "Ends", minor: true, value: (task) => num(task.dueUnixMs),
      hint: "The ack deadline; a session's leases live as long as it does",
      cell: (task) => (num(task.dueUnixMs) === 0 ? NONE : time(task.dueUnixMs)) },
    { title: "Dataset", minor: true, wide: true, value: (task) => task.dataset ?? "",
      cell: (task) => task.dataset ?? NONE },
    number("Deliveries", "deliveries"), number("Failures", "failures"), number("Losses", "losses"),
    { title: "Checkpoint", minor: true, value: (task) => Number(task.hasCheckpoint ?? false),
      cell: (task) => (task.hasCheckpoint ? "yes" : NONE) },
  ];
}
