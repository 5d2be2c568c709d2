// SPDX-License-Identifier: Apache-2.0
//
// dialog.js -- questions before what can't be undone, and a line that says what was done.

import { h } from "./dom.js";

// Resolves to whether it was confirmed. `action` names what happens: "Delete 12 dead letters".
export function confirmed({ title, text, action, danger = false }) {
  return new Promise((resolve) => {
    const cancel = h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel");
    const go = h("button", { type: "button", class: danger ? "danger" : "primary",
      onclick: () => dialog.close("go") }, action);
    const dialog = open(title, [h("p", {}, text), h("div", { class: "buttons" }, cancel, go)],
      (value) => resolve(value === "go"));
    (danger ? cancel : go).focus();
  });
}

export function showDialog(title, content) {
  const close = h("button", { type: "button", onclick: () => dialog.close("") }, "Close");
  const dialog = open(title, [content, h("div", { class: "buttons" }, close)], () => {});
  close.focus();
}

let noticeTimer = null;

// An error stays until somebody has read it.
export function notice(text, isError = false) {
  const place = document.getElementById("notice");
  const close = () => place.replaceChildren();
  clearTimeout(noticeTimer);
  place.replaceChildren(isError ? h("p", { class: "error", role: "alert" }, text,
    h("button", { type: "button", class: "quiet", onclick: close }, "Dismiss")) : h("p", {}, text));
  if (!isError) noticeTimer = setTimeout(close, 8000);
}

export function closeDialogs() {
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close(""));
}

function open(title, content, closed) {
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" },
    h("h2", { id: "dialog-title" }, title), content);
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed(dialog.returnValue);
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
