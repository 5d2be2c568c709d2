// SPDX-License-Identifier: Apache-2.0
//
// view-tasks.js -- looking for tasks: by ID, by state, by dataset, page by page in service order.

import { call } from "./api.js";
import { empty, h, hrefOf, link } from "./dom.js";
import { bytes, count, NONE, num, time, word } from "./format.js";
import { Table } from "./table.js";

const PAGE = 50;
const STATES = ["", "READY", "DELAYED", "LEASED", "DEAD"];

// Pages of a list whose next page is named by the last reply: Back goes over known tokens.
export class Pages {
  constructor(turned) {
    this.tokens = [""];
    this.next = "";
    this.back = h("button", { type: "button", onclick: () => {
      this.tokens.pop();
      turned();
    } }, "Back");
    this.forth = h("button", { type: "button", onclick: () => {
      this.tokens.push(this.next);
      turned();
    } }, "Next");
    this.element = h("div", { class: "pager", hidden: true }, this.back, this.forth);
  }

  get token() {
    return this.tokens.at(-1);
  }

  restart() {
    this.tokens = [""];
  }

  show(nextToken) {
    this.next = nextToken ?? "";
    this.back.disabled = this.tokens.length === 1;
    this.forth.disabled = this.next === "";
    this.element.hidden = this.back.disabled && this.forth.disabled;
  }
}

export function tasksTab(context, name) {
  const pages = new Pages(() => context.soon());
  const restart = () => {
    pages.restart();
    context.soon();
  };
  const state = h("select", { id: "state", onchange: restart },
    STATES.map((value) => (
      h("option", { value }, value === "" ? "any but done" : value.toLowerCase()))));
  const dataset = h("input", { id: "dataset", type: "search", onchange: restart });
  const table = new Table({ label: "Tasks", columns: columnsOf(name), key: (task) => task.taskId,
    empty: empty("No such tasks", "Tasks that are done are gone from here: see Results.") });

  return {
    element: h("div", {},
      h("div", { class: "tools" }, finder(name),
        h("label", { for: "state" }, "State"), state,
        h("label", { for: "dataset" }, "Dataset"), dataset),
      table.element, pages.element),
    async round(signal) {
      const reply = await call("TaskService/List", { queue: name, pageSize: PAGE,
        pageToken: pages.token, dataset: dataset.value,
        ...(state.value && { state: `TASK_STATE_${state.value}` }) }, signal);
      table.show(reply.tasks ?? []);
      pages.show(reply.nextPageToken);
    },
  };
}

function finder(name) {
  const input = h("input", { id: "find", type: "search", required: true, spellcheck: "false" });
  return h("form", { class: "tools", role: "search", onsubmit: (event) => {
    event.preventDefault();
    location.hash = hrefOf("queues", name, "tasks", input.value.trim());
  } }, h("label", { for: "find" }, "Task ID"), input, h("button", { type: "submit" }, "Show"));
}

function columnsOf(name) {
  return [
    { title: "Task", wide: true, value: (task) => task.taskId,
      node: (task) => link(task.taskId, "queues", name, "tasks", task.taskId) },
    { title: "State", value: (task) => task.state,
      node: () => h("span", { class: "state" }),
      refresh: (element, task) => {
        const state = word(task.state, "TASK_STATE_");
        if (element.textContent === state) return;
        element.textContent = state;
        element.className = `state c-${state}`;
      } },
    { title: "Priority", number: true, minor: true, value: (task) => num(task.priority),
      cell: (task) => count(task.priority) },
    { title: "Dataset", minor: true, wide: true, value: (task) => task.dataset ?? "",
      cell: (task) => task.dataset ?? NONE },
    { title: "Deliveries", number: true, value: (task) => num(task.deliveries),
      cell: (task) => count(task.deliveries) },
    { title: "Failures", number: true, minor: true, value: (task) => num(task.failures),
      cell: (task) => count(task.failures) },
    { title: "Size", number: true, minor: true, value: (task) => num(task.payloadBytes),
      cell: (task) => bytes(task.payloadBytes) },
    { title: "Published", minor: true, value: (task) => num(task.publishedUnixMs),
      cell: (task) => time(task.publishedUnixMs) },
  ];
}
