// SPDX-License-Identifier: Apache-2.0
//
// dom.js -- making elements.
//
// Everything that a queue holds (names, errors, payloads) is a stranger's text. It gets into the
// page only through here, as text nodes and attributes; nothing in this dashboard makes markup of a
// string.

// h("a", { href: "#/", class: "quiet", onclick: f }, "text", otherElement, null)
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A stranger's text: it can't turn the writing direction of what stands beside it.
export function data(text, properties) {
  return h("bdi", { class: "data", ...properties }, text);
}

export function link(text, ...path) {
  const element = h("a", { class: "data" });
  relink(element, text, ...path);
  return element;
}

export function relink(element, text, ...path) {
  setText(element, text);
  element.title = text;
  element.href = hrefOf(...path);
}

export function hrefOf(...path) {
  return `#/${path.map(encodeURIComponent).join("/")}`;
}

export function empty(title, hint, command) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title),
    hint ? h("p", {}, hint) : null, command ? h("pre", {}, command) : null);
}

// A definition list whose values are refreshed in place: facts(["Worker", "Age"]).
export function facts(names) {
  const values = new Map(names.map((name) => [name, h("dd", {})]));
  const element = h("dl", { class: "facts" },
    names.map((name) => h("div", {}, h("dt", {}, name), values.get(name))));
  return {
    element,
    set(name, value) {
      const place = values.get(name);
      if (value instanceof Node) place.replaceChildren(value);
      else setText(place, value);
      place.parentElement.hidden = value === "";
    },
  };
}

// Large numbers side by side; `names` are [name, colour of style.css or null]. A 0 has no colour.
export function tiles(names) {
  const values = new Map(names.map(([name, colour]) => (
    [name, h("dd", { class: colour && `c-${colour}` })])));
  return {
    element: h("dl", { class: "tiles" },
      names.map(([name]) => h("div", {}, h("dt", {}, name), values.get(name)))),
    set(name, text) {
      setText(values.get(name), text);
      values.get(name).toggleAttribute("data-zero", text === "0");
    },
  };
}
