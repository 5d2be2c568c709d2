// SPDX-License-Identifier: Apache-2.0
//
// view-queue.js -- one queue: its head with pause and resume, and a tab for each thing in it.

import { call } from "./api.js";
import { may } from "./caller.js";
import { confirmed } from "./dialog.js";
import { data, h, hrefOf, setText } from "./dom.js";
import { count, num } from "./format.js";
import { deadTab } from "./view-dead.js";
import { leasesTab } from "./view-leases.js";
import { overviewTab } from "./view-overview.js";
import { resultsTab } from "./view-results.js";
import { queueSessionsTab } from "./view-sessions.js";
import { taskTab } from "./view-task.js";
import { tasksTab } from "./view-tasks.js";

// A tab: (context, queue's name, ...path) -> { element, started?, stopped?, round(signal, queue) }
const TABS = [
  ["", "Overview", overviewTab, null],
  ["leases", "Leases", leasesTab, (queue) => queue.counts?.leased],
  ["sessions", "Sessions", queueSessionsTab, (queue) => queue.sessions],
  ["tasks", "Tasks", tasksTab, null],
  ["dead", "Dead letters", deadTab, (queue) => queue.counts?.dead],
  ["results", "Results", resultsTab, null],
];

export function queueView(context, name, tabName = "", ...rest) {
  const [, title, make] = TABS.find(([path]) => path === tabName) ?? TABS[0];
  const tab = tabName === "tasks" && rest[0] ? taskTab(context, name, ...rest)
    : make(context, name, ...rest);
  const paused = h("span", { class: "chip", hidden: true }, "paused");
  const pause = h("button", { type: "button", hidden: true }, "");
  const readOnly = may("admin", name) ? null : h("p", { class: "muted" },
    "Read only: what changes it takes the right ", h("code", {}, "admin"), " on this queue.");
  const counts = new Map();
  let queue = null;

  pause.addEventListener("click", () => (queue.paused ? resume() : askAndPause()));

  async function askAndPause() {
    const text = `No task of ${name} is handed out while it is paused. The ` +
      `${count(queue.counts?.leased)} now leased may be finished, and publishing goes on.`;
    if (!await confirmed({ title: "Pause the queue?", text, action: "Pause" })) return;
    context.act(() => call("QueueService/Pause", { name }), `${name} is paused.`);
  }

  function resume() {
    context.act(() => call("QueueService/Resume", { name }), `${name} hands out tasks again.`);
  }

  function tabLink([path, label, , counter]) {
    const badge = counter && h("span", { class: "badge" });
    if (counter) counts.set(counter, badge);
    return h("a", { href: path === "" ? hrefOf("queues", name) : hrefOf("queues", name, path),
      "aria-current": path === tabName ? "page" : null }, label, " ", badge);
  }

  return {
    title: `${name}: ${title}`,
    element: h("section", {},
      h("div", { class: "head" }, h("h1", {}, data(name)), paused, pause, readOnly),
      h("nav", { class: "tabs", "aria-label": `Queue ${name}` }, TABS.map(tabLink)),
      tab.element),
    started: () => tab.started?.(),
    stopped: () => tab.stopped?.(),
    async round(signal) {
      queue = (await call("QueueService/Get", { name }, signal)).queue;
      paused.hidden = !queue.paused;
      pause.hidden = readOnly !== null;
      setText(pause, queue.paused ? "Resume" : "Pause");
      for (const [counter, badge] of counts) {
        setText(badge, num(counter(queue)) === 0 ? "" : count(counter(queue)));
      }
      await tab.round(signal, queue);
    },
  };
}
