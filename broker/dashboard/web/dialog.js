// SPDX-License-Identifier: Apache-2.0
//
// dialog.js -- questions before what can't be undone, the login, and a line that says what was
// done.

import { h } from "./dom.js";
import { token } from "./api.js";

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

let loginOpen = null;

// Asks for a token; `refusal` is what the broker said of the last one, if there was one.
export function login(refusal, entered) {
  if (loginOpen) return;
  const input = h("input", { type: "password", id: "token", autocomplete: "off", required: true,
    spellcheck: "false" });
  const form = h("form", { onsubmit: (event) => {
    event.preventDefault();
    token.set(input.value.trim());
    loginOpen.close("");
    entered();
  } },
  h("p", {}, "This broker wants a token. It is kept in this tab until you close it."),
  refusal ? h("p", { class: "error", role: "alert" }, `It said: ${refusal}`) : null,
  h("label", { for: "token" }, "Token"), input,
  h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Log in")));
  loginOpen = open("Log in", [form], () => { loginOpen = null; });
  loginOpen.addEventListener("cancel", (event) => event.preventDefault());
  input.focus();
}

let noticeTimer = null;

export function notice(text, isError = false) {
  const place = document.getElementById("notice");
  place.replaceChildren(h("p", { class: isError ? "error" : null }, text));
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => place.replaceChildren(), 8000);
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
