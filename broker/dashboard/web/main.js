// SPDX-License-Identifier: Apache-2.0
//
// main.js -- the frame: which view the address names, its rounds of polling, and what is said when
// the broker does not answer or refuses.
//
// A view is made by one function, (context, ...path) -> { title, element, started?, stopped?,
// round(signal) }: `round` asks the broker and shows what it said. Views keep no more than that, so
// the address alone says what is on the screen.

import { Away, Refused, token } from "./api.js";
import { askCaller, callerName, forgetCaller, isCallerKnown, may } from "./caller.js";
import { closeDialogs, notice } from "./dialog.js";
import { h, setText } from "./dom.js";
import { duration, sentence } from "./format.js";
import { loginForm } from "./login.js";
import { Poller } from "./poll.js";
import { brokerView } from "./view-broker.js";
import { queueView } from "./view-queue.js";
import { queuesView } from "./view-queues.js";
import { sessionsView } from "./view-sessions.js";

const VIEWS = { "": queuesView, queues: queueView, sessions: sessionsView, broker: brokerView };
// Refusals that pass by themselves.
const PASSING = new Set(["unavailable", "resource_exhausted", "deadline_exceeded", "canceled"]);

const place = document.getElementById("view");
const connection = document.getElementById("connection");
const away = document.getElementById("away");
const logout = document.getElementById("logout");
const who = document.getElementById("who");
const brokerLink = document.querySelector('header nav a[href="#/broker"]');

let view = null; // none before it is known who calls
let answeredAt = null; // performance.now() of the last round that went well

const poller = new Poller({ round, failed });
const context = { soon: () => poller.soon(), act };

async function round(signal) {
  const begun = performance.now();
  await askCaller(signal);
  if (view === null) enter();
  await view.round(signal);
  answeredAt = performance.now();
  if (view.element.parentElement !== place) place.replaceChildren(view.element);
  away.hidden = true;
  place.classList.remove("stale");
  setText(connection, `Live, answered in ${duration(Math.round(answeredAt - begun))}`);
  connection.dataset.state = "live";
}

function failed(error) {
  if (error instanceof Refused && error.code === "unauthenticated") {
    wantLogin(error);
  } else if (error instanceof Away || (error instanceof Refused && PASSING.has(error.code))) {
    showAway(error);
  } else {
    showRefusal(error);
  }
}

// Nothing stays in sight of who has no token any more.
function wantLogin(error) {
  const refusal = token.get() === null ? null : error.message;
  poller.stop();
  leave();
  closeDialogs();
  token.clear();
  forgetCaller();
  logout.hidden = true;
  who.hidden = true;
  away.hidden = true;
  place.classList.remove("stale");
  place.replaceChildren(loginForm(refusal, () => poller.soon()));
  place.querySelector("input").focus();
  setText(connection, "Not logged in");
  connection.dataset.state = "off";
}

function showAway(error) {
  const since = answeredAt === null ? "" : ` What you see is ${
    duration(performance.now() - answeredAt)} old.`;
  const says = error instanceof Away ? "No contact" : "The broker says";
  setText(away, `${says}: ${sentence(error.message)} Trying again every few seconds.${since}`);
  away.hidden = false;
  place.classList.add("stale");
  setText(connection, error instanceof Away ? "No contact" : "Waiting");
  connection.dataset.state = "off";
}

// Who may not see this is not made to ask again and again.
function showRefusal(error) {
  if (!(error instanceof Refused)) console.error(error);
  if (error.code === "permission_denied") {
    poller.stop();
    forgetCaller();
  }
  place.replaceChildren(h("div", { class: "empty" },
    h("p", { class: "empty-title" }, error instanceof Refused ? "Refused" : "This page failed"),
    h("p", { class: "error" }, sentence(error.message)),
    h("p", {}, h("a", { href: "#/" }, "Back to the queues"))));
  setText(connection, error.code === "permission_denied" ? "Not allowed" : "Refused");
  connection.dataset.state = "off";
}

// Carries out what somebody clicked: says how it went, and shows what came of it.
async function act(work, done) {
  try {
    const reply = await work();
    notice(typeof done === "function" ? done(reply) : done);
  } catch (error) {
    if (error instanceof Refused && error.code === "unauthenticated") {
      wantLogin(error); // the next round, without a token, would hide why
      return;
    }
    notice(sentence(error.message), true);
  }
  poller.soon();
}

function pathOf(address) {
  try {
    return address.replace(/^#?\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    return ["", "?"];
  }
}

function open() {
  poller.stop();
  leave();
  if (isCallerKnown()) enter();
  poller.soon();
}

// Makes the view that the address names.
function enter() {
  const [name, ...rest] = pathOf(location.hash);
  view = (VIEWS[name] ?? VIEWS[""])(context, ...rest);
  document.title = `${view.title} · ackd`;
  place.replaceChildren(view.element);
  view.started?.();
  markNavigation(name);
  who.hidden = callerName() === "";
  setText(who, callerName());
  logout.hidden = token.get() === null;
  brokerLink.hidden = !may("read");
}

function leave() {
  view?.stopped?.();
  view = null;
}

function markNavigation(name) {
  for (const anchor of document.querySelectorAll("header nav a")) {
    const target = pathOf(anchor.hash)[0];
    const current = target === name || (target === "" && name === "queues");
    if (current) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names a view, not a place on the page
  place.focus();
});
logout.addEventListener("click", () => {
  token.clear();
  forgetCaller();
  open();
});
addEventListener("hashchange", () => {
  open();
  place.focus({ preventScroll: true });
  scrollTo(0, 0);
});
open();
