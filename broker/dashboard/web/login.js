// SPDX-License-Identifier: Apache-2.0
//
// login.js -- asks for a token, in the place of what it would show.

import { token } from "./api.js";
import { h } from "./dom.js";
import { sentence } from "./format.js";

const SENDABLE = /^[\x21-\x7e]+$/; // in a header's field

// `refusal` is what the broker said of the last token, or null.
export function loginForm(refusal, entered) {
  const input = h("input", { type: "password", id: "token", autocomplete: "off", required: true,
    spellcheck: "false", "aria-describedby": "token-says", oninput: () => says("") });
  const says = (text) => input.setCustomValidity(text);
  const submit = (event) => {
    event.preventDefault();
    const value = input.value.trim();
    if (!SENDABLE.test(value)) {
      says("A token is one word, without spaces or special characters.");
      input.reportValidity();
      return;
    }
    token.set(value);
    entered();
  };

  return h("form", { class: "login", "aria-labelledby": "login-title", onsubmit: submit },
    h("h1", { id: "login-title" }, "Log in"),
    h("p", {}, "This broker wants a token. It is kept in this tab until you close it."),
    h("p", { id: "token-says", class: "error", role: "alert", hidden: refusal === null },
      refusal && `It said: ${sentence(refusal)}`),
    h("label", { for: "token" }, "Token"), input,
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Log in")),
    h("p", { class: "muted" }, "To see everything it takes ", h("code", {}, "read"),
      " on all queues; to pause, redrive or delete, ", h("code", {}, "admin"), ":"),
    h("pre", {}, "ackctl token create NAME --grant read:'*'"));
}
