// SPDX-License-Identifier: Apache-2.0
//
// view-leases.js -- what is being worked on: by whom, for how long, and what is stuck: kept alive
// while its task comes no nearer to its end. How long without progress that takes can be chosen.

import { brokerNow, call, callPages } from "./api.js";
import { empty, h, link, setText } from "./dom.js";
import { count, duration, lasting, NONE, num, plural, time } from "./format.js";
import { Table } from "./table.js";

const LEASES_MAX = 1000;
const STUCK_CHOICES_MS = [60_000, 300_000, 600_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000];
const SESSIONS_AGAIN_MS = 10_000;

// Of the whole page, so that all views mean the same.
let stuckAfterMs = 600_000;

// "Stuck: without progress for [10 m]"
export function stuckChoice(changed) {
  const select = h("select", { id: "stuck-after", onchange: () => {
    stuckAfterMs = Number(select.value);
    changed();
  } }, STUCK_CHOICES_MS.map((ms) => (
    h("option", { value: String(ms), selected: ms === stuckAfterMs }, lasting(ms)))));
  return [h("label", { for: "stuck-after" }, "Stuck: without progress for"), select];
}

// The queue's leases, or the stuck ones, or the first of them: each with `ageMs`, `stuck`, and
// `idleMs` since it last told progress.
async function askSome(queue, onlyStuck, signal) {
  const { items, complete } = await callPages("TaskService/List", { queue,
    state: "TASK_STATE_LEASED", ...(onlyStuck && { minStalledMs: stuckAfterMs }) },
  "tasks", LEASES_MAX, signal);
  const now = brokerNow();
  const leases = items.map((task) => {
    const idleMs = Math.max(0, now - num(task.progressUnixMs));
    return { ...task, ageMs: Math.max(0, now - num(task.leasedUnixMs)), idleMs,
      stuck: idleMs >= stuckAfterMs };
  });
  return { leases, complete };
}

// { leases, complete, stuck: { leases, complete } }
export async function askLeases(queue, onlyStuck, signal) {
  const { leases, complete } = await askSome(queue, onlyStuck, signal);
  const stuck = complete || onlyStuck ? { leases: leases.filter((task) => task.stuck), complete }
    : await askSome(queue, true, signal);
  return { leases, complete, stuck };
}

export function leasesTab(context, name) {
  const sessionOf = sessionsOf(name);
  const only = h("input", { type: "checkbox", id: "only-stuck", onchange: () => context.soon() });
  const says = h("p", { class: "says" });
  const table = new Table({
    label: "Leases", columns: columnsOf(name), key: (task) => task.taskId, sort: "No progress",
    descending: true,
    filter: ({ taskId, holder, dataset = "" }) => (
      [taskId, holder.worker, holder.pod, holder.node, dataset].join(" ")),
    empty: empty("Nothing is leased", "Workers hold no task of this queue."),
  });
  const noneStuck = empty("Nothing is stuck", "Every lease has told progress in that time, or is " +
    "younger. Workers tell it by a checkpoint or with a heartbeat.");
  const noneLeased = table.empty;

  return {
    element: h("div", {},
      h("div", { class: "tools" }, stuckChoice(() => context.soon()),
        h("span", { class: "choice" }, only, h("label", { for: "only-stuck" }, "Only these"))),
      says, table.element),
    async round(signal, queue) {
      const shown = await askLeases(name, only.checked, signal);
      const { leases } = shown;
      const holders = await sessionOf(leases, signal);
      const leased = num(queue.counts?.leased);
      setText(says, saysOf(shown, leased));
      table.empty = only.checked && leased > 0 ? noneStuck : noneLeased;
      table.show(leases.map((task) => ({ ...task, holder: holders.get(task.sessionId) ?? {} })));
    },
  };
}

function saysOf({ leases, complete, stuck }, leased) {
  if (leases.length === 0) return "";
  const found = `${stuck.complete ? "" : "At least "}${count(stuck.leases.length)} stuck of ${
    plural(leased, "lease")}.`;
  return complete ? found : `${found} Listed are the first ${count(leases.length)}.`;
}

// (leases) -> the sessions that hold them, by ID. Who a session is does not change.
function sessionsOf(queue) {
  let known = new Map();
  let askedAt = -SESSIONS_AGAIN_MS;

  return async (leases, signal) => {
    const strange = leases.some(({ sessionId }) => sessionId && !known.has(sessionId));
    if (strange && performance.now() - askedAt >= SESSIONS_AGAIN_MS) {
      const { sessions = [] } = await call("SessionService/List", { queue }, signal);
      known = new Map(sessions.map((session) => [session.sessionId, session]));
      askedAt = performance.now();
    }
    return known;
  };
}

function holderOf({ holder, sessionId }) {
  return holder.worker || holder.pod || (sessionId ? "unnamed" : "no session");
}

function columnsOf(name) {
  const number = (title, field) => ({ title, number: true, minor: true,
    value: (task) => num(task[field]), cell: (task) => count(task[field]) });

  return [
    { title: "Task", wide: true, value: (task) => task.taskId,
      node: (task) => h("span", {}, link(task.taskId, "queues", name, "tasks", task.taskId),
        h("span", { class: "chip bad" }, "stuck")),
      refresh: (element, task) => { element.lastChild.hidden = !task.stuck; } },
    { title: "Worker", wide: true, value: holderOf, cell: holderOf },
    { title: "Node", wide: true, minor: true, value: ({ holder }) => holder.node ?? "",
      cell: ({ holder }) => holder.node || NONE },
    { title: "Age", number: true, minor: true, value: (task) => task.ageMs,
      cell: (task) => duration(task.ageMs) },
    { title: "No progress", number: true, value: (task) => task.idleMs,
      hint: "Since the last checkpoint or heartbeat that told progress, or since the lease",
      cell: (task) => duration(task.idleMs) },
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
