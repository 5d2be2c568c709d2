// SPDX-License-Identifier: Apache-2.0
//
// view-task.js -- one task: its figures, its history, its payload and result, and what can be done
// with it.

import { call } from "./api.js";
import { may } from "./caller.js";
import { confirmed } from "./dialog.js";
import { data, facts, h, hrefOf, setText } from "./dom.js";
import { bytes, count, NONE, num, word } from "./format.js";
import { preview } from "./preview.js";
import { eventsOf, timeline } from "./timeline.js";

const FACTS = ["Dataset", "Priority", "Payload", "Deliveries", "Failures", "Losses", "Preemptions",
  "Checkpoint"];

export function taskTab(context, queueName, taskId) {
  const state = h("span", { class: "state" });
  const figures = facts(FACTS);
  const story = timeline();
  const buttons = h("div", { class: "buttons" });
  const bodies = h("div", {});
  let result = null;
  let told = ""; // what the story and the buttons were made of
  let shown = ""; // what the bodies were made of

  async function round(signal, queue) {
    const { task } = await call("TaskService/Get", { queue: queueName, taskId }, signal);
    const tells = JSON.stringify({ ...task, payload: "" });
    const stored = JSON.stringify([task.hasResult, task.fence, task.payload]);
    if (task.hasResult && stored !== shown) {
      ({ result } = await call("ResultService/Get", { queue: queueName, taskId }, signal));
    }
    if (!task.hasResult) result = null;
    setText(state, word(task.state, "TASK_STATE_"));
    state.className = `state c-${state.textContent}`;
    showFacts(figures, task, queue);
    if (tells !== told) {
      story.show(eventsOf(task, result));
      buttons.replaceChildren(...actionsOf(context, queueName, task));
    }
    if (stored !== shown) bodies.replaceChildren(...bodiesOf(task, result));
    story.refresh();
    told = tells;
    shown = stored;
  }

  return {
    element: h("div", {},
      h("p", { class: "back" },
        h("a", { href: hrefOf("queues", queueName, "tasks") }, "All tasks")),
      h("div", { class: "head" }, h("h2", {}, data(taskId)), state),
      buttons, figures.element, h("h3", {}, "History"), story.element, bodies),
    round,
  };
}

function showFacts(place, task, queue) {
  const of = (number, most) => `${count(number)} of ${count(most)}`;

  place.set("Dataset", task.dataset ? data(task.dataset) : NONE);
  place.set("Priority", count(task.priority));
  place.set("Payload", task.state === "TASK_STATE_DONE" ? "gone" : bytes(task.payloadBytes));
  place.set("Deliveries", count(task.deliveries));
  place.set("Failures", of(task.failures, queue.config.maxFailures));
  place.set("Losses", of(task.losses, queue.config.maxLosses));
  place.set("Preemptions", count(task.preemptions));
  place.set("Checkpoint", task.hasCheckpoint ? "saved" : "none");
}

function actionsOf(context, queue, task) {
  const selection = { taskIds: [task.taskId] };
  const button = (text, ask, work, done, danger) => h("button", { type: "button",
    class: danger ? "danger" : null,
    onclick: async () => { if (await confirmed(ask)) context.act(work, done); } }, text);

  if (task.state === "TASK_STATE_DONE" || !may("admin", queue)) return [];
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
