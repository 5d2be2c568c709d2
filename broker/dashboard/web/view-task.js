// SPDX-License-Identifier: Apache-2.0
//
// view-task.js -- one task: everything that the broker still knows of it.
//
// The broker keeps a task's counters and its latest lease, not a log: the history tells what these
// prove, in the order in which it happened.

import { brokerNow, call } from "./api.js";
import { confirmed } from "./dialog.js";
import { data, facts, h, hrefOf, setText } from "./dom.js";
import { bytes, count, duration, NONE, num, plural, time, word } from "./format.js";
import { preview } from "./preview.js";

const FACTS = ["Dataset", "Priority", "Payload", "Fence", "Deliveries", "Failures", "Preemptions",
  "Losses", "Checkpoint"];

export function taskTab(context, queueName, taskId) {
  const state = h("span", { class: "state" });
  const figures = facts(FACTS);
  const story = h("ol", { class: "story" });
  const buttons = h("div", { class: "buttons" });
  const bodies = h("div", {});
  let shownAs = ""; // what the parts that are made anew were made of

  async function round(signal, queue) {
    const { task } = await call("TaskService/Get", { queue: queueName, taskId }, signal);
    const worker = task.sessionId ? await workerOf(queueName, task.sessionId, signal) : "";
    const result = task.hasResult
      ? (await call("ResultService/Get", { queue: queueName, taskId }, signal)).result : null;
    const signature = JSON.stringify([{ ...task, payload: "" }, worker, result?.storedUnixMs]);
    setText(state, word(task.state, "TASK_STATE_"));
    state.className = `state c-${state.textContent}`;
    showFacts(figures, task);
    story.replaceChildren(...eventsOf(task, worker, queue, result).map(([at, text, detail]) => (
      h("li", {}, h("time", {}, at), h("span", {}, text),
        detail ? h("pre", { class: "content", tabindex: "0" }, detail) : null))));
    if (signature === shownAs) return;
    shownAs = signature;
    buttons.replaceChildren(...actionsOf(context, queueName, task));
    bodies.replaceChildren(...bodiesOf(task, result));
  }

  return {
    element: h("div", {},
      h("p", {}, h("a", { href: hrefOf("queues", queueName, "tasks") }, "All tasks")),
      h("div", { class: "head" }, h("h2", {}, data(taskId)), state),
      buttons, figures.element, h("h3", {}, "History"), story, bodies),
    round,
  };
}

async function workerOf(queue, sessionId, signal) {
  const { sessions = [] } = await call("SessionService/List", { queue }, signal);
  return sessions.find((session) => session.sessionId === sessionId)?.worker ?? "";
}

function showFacts(place, task) {
  place.set("Dataset", task.dataset ? data(task.dataset) : NONE);
  place.set("Priority", count(task.priority));
  place.set("Payload", task.state === "TASK_STATE_DONE" ? "gone" : bytes(task.payloadBytes));
  place.set("Checkpoint", task.hasCheckpoint ? "saved" : "none");
  for (const name of ["Fence", "Deliveries", "Failures", "Preemptions", "Losses"]) {
    place.set(name, count(task[name.toLowerCase()]));
  }
}

// [when, what, a stranger's text or nothing]
function eventsOf(task, worker, queue, result) {
  const events = [];
  const add = (...event) => events.push(event);

  if (num(task.publishedUnixMs)) add(time(task.publishedUnixMs), "Published");
  if (num(task.deliveries)) add("", `Leased ${plural(num(task.deliveries), "time")} so far`);
  if (num(task.preemptions)) {
    add("", `Given back ${plural(num(task.preemptions), "time")} by a worker that was going away`);
  }
  if (num(task.losses)) {
    add("", `Lost with its worker ${plural(num(task.losses), "time")}, of ${
      count(queue.config.maxLosses)} at most`);
  }
  if (num(task.failures)) {
    add("", `Failed ${plural(num(task.failures), "time")}, of ${
      count(queue.config.maxFailures)} at most${task.lastError ? "; the last failure said:" : ""}`,
    task.lastError);
  }
  if (task.hasCheckpoint) add("", "A checkpoint is saved: the next delivery carries it");
  add(...latestOf(task, worker));
  if (result) {
    add(time(result.storedUnixMs), `Result stored, by the lease with fence ${result.fence}`);
  }
  return events;
}

function latestOf(task, worker) {
  const holder = worker ||
    (task.sessionId ? `session ${task.sessionId}` : "a worker without session");
  switch (task.state) {
    case "TASK_STATE_LEASED":
      return [time(task.leasedUnixMs), `Leased by ${holder} for ${
        duration(Math.max(0, brokerNow() - num(task.leasedUnixMs)))}, with fence ${task.fence}${
        num(task.dueUnixMs) ? `; the lease ends ${time(task.dueUnixMs)} unless renewed` : ""}`];
    case "TASK_STATE_DELAYED":
      return [time(task.dueUnixMs), "Ready again then, after a delay or backoff"];
    case "TASK_STATE_DONE":
      return [time(task.doneUnixMs), "Done"];
    case "TASK_STATE_DEAD":
      return ["", `Dead letter: ${word(task.deadReason, "DEAD_REASON_")}`];
    default:
      return ["", "Ready: waits for a worker"];
  }
}

function actionsOf(context, queue, task) {
  const selection = { taskIds: [task.taskId] };
  const button = (text, ask, work, done, danger) => h("button", { type: "button",
    class: danger ? "danger" : null,
    onclick: async () => { if (await confirmed(ask)) context.act(work, done); } }, text);

  if (task.state === "TASK_STATE_DEAD") {
    return [
      button("Redrive", { title: "Redrive 1 dead letter?", action: "Redrive 1 dead letter",
        text: "It becomes ready again, with its failures and losses at 0." },
      () => call("DeadLetterService/Redrive", { queue, selection }), "It is ready again."),
      button("Delete", { title: "Delete 1 dead letter?", action: "Delete 1 dead letter",
        text: "It is gone for good. Its ID may be published again.", danger: true },
      () => call("DeadLetterService/Delete", { queue, selection }), "It is deleted.", true),
    ];
  }
  if (task.state === "TASK_STATE_DONE") return [];
  return [button("Cancel task", { title: "Cancel 1 task?", action: "Cancel 1 task", danger: true,
    text: "It goes to the dead letters, and a worker that holds it is told to stop." },
  () => call("TaskService/Cancel", { queue, taskIds: [task.taskId] }),
  "It is cancelled, and lies in the dead letters.", true)];
}

function bodiesOf(task, result) {
  const parts = [];
  const attributes = Object.entries(task.attributes ?? {});

  if (result) parts.push(h("h3", {}, "Result"), preview(result.data, `${task.taskId}.result`));
  if (task.state !== "TASK_STATE_DONE") {
    parts.push(h("h3", {}, "Payload"), preview(task.payload, `${task.taskId}.payload`));
  }
  if (attributes.length > 0) {
    parts.push(h("h3", {}, "Attributes"), h("dl", { class: "facts" },
      attributes.map(([name, value]) => (
        h("div", {}, h("dt", {}, data(name)), h("dd", {}, data(value)))))));
  }
  return parts;
}
