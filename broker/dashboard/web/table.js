// SPDX-License-Identifier: Apache-2.0
//
// table.js -- a table whose rows are refreshed in place: sorted by any column, filtered, paged.
//
// A row keeps its elements as long as its key is there, so that a refresh every 2 s neither takes
// the keyboard's focus nor a selection. Only the rows of the page in view are elements: thousands
// of rows cost no more than fifty.

import { h, setText } from "./dom.js";
import { count } from "./format.js";

const PAGE = 50;

// A column: { title, cell(row) -> text, or node(row) -> element and refresh(element, row),
//             value(row) -> to sort by; number: right-aligned; minor: left out on a phone; hint }
export class Table {
  constructor({ label, columns, key, sort = null, descending = false, filter = null, empty }) {
    Object.assign(this, { columns, key, empty, sort, descending, filter });
    this.rows = [];
    this.page = 0;
    this.shown = new Map(); // key -> <tr>
    this.body = h("tbody", {});
    this.heads = columns.map((column, i) => this.#head(column, i));
    this.table = h("table", {}, h("caption", { class: "unseen" }, label),
      h("thead", {}, h("tr", {}, this.heads)), this.body);
    this.input = filter && h("input", { type: "search", placeholder: "Filter", class: "filter",
      "aria-label": `Filter: ${label}`, oninput: () => this.#turn(0) });
    this.place = h("span", { class: "place" });
    this.back = h("button", { type: "button", onclick: () => this.#turn(this.page - 1) }, "Back");
    this.next = h("button", { type: "button", onclick: () => this.#turn(this.page + 1) }, "Next");
    this.pager = h("div", { class: "pager", hidden: true }, this.place, this.back, this.next);
    this.nothing = h("div", {});
    this.element = h("div", { class: "table" }, this.input,
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, this.table),
      this.nothing, this.pager);
  }

  // What the filter looks for.
  get wanted() {
    return this.input?.value.trim() ?? "";
  }

  show(rows) {
    this.rows = rows;
    this.#draw();
  }

  #head(column, i) {
    const classes = classesOf(column);
    if (!column.value) return h("th", { scope: "col", class: classes }, column.title);
    return h("th", { scope: "col", class: classes, title: column.hint },
      h("button", { type: "button", onclick: () => this.#sortBy(i) }, column.title));
  }

  #sortBy(i) {
    const column = this.columns[i];
    this.descending = this.sort === column.title ? !this.descending : Boolean(column.number);
    this.sort = column.title;
    this.#turn(0);
  }

  #turn(page) {
    this.page = page;
    this.#draw();
  }

  #chosen() {
    const wanted = this.wanted.toLowerCase();
    const rows = wanted === "" ? [...this.rows]
      : this.rows.filter((row) => this.filter(row).toLowerCase().includes(wanted));
    const column = this.columns.find(({ title }) => title === this.sort);
    const sign = this.descending ? -1 : 1;
    if (column) rows.sort((a, b) => sign * compare(column.value(a), column.value(b)));
    return rows;
  }

  #draw() {
    const rows = this.#chosen();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const first = this.page * PAGE;
    this.#place(rows.slice(first, first + PAGE));
    this.pager.hidden = pages === 1;
    setText(this.place, `${count(first + 1)}–${count(Math.min(first + PAGE, rows.length))} of ` +
      count(rows.length));
    this.back.disabled = this.page === 0;
    this.next.disabled = this.page === pages - 1;
    this.table.hidden = rows.length === 0;
    if (this.input) this.input.hidden = this.rows.length === 0 && this.wanted === "";
    this.nothing.replaceChildren(...(rows.length > 0 ? [] : [this.rows.length > 0
      ? h("p", { class: "empty" }, "Nothing matches the filter.") : this.empty]));
    this.heads.forEach((head, i) => this.#mark(head, this.columns[i]));
  }

  #mark(head, column) {
    if (column.title !== this.sort) head.removeAttribute("aria-sort");
    else head.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
  }

  // Puts exactly these rows into the body, in order; an element that had the focus keeps it.
  #place(rows) {
    const focused = document.activeElement;
    const keys = new Set(rows.map(this.key));
    for (const [key, element] of this.shown) {
      if (!keys.has(key)) {
        element.remove();
        this.shown.delete(key);
      }
    }
    rows.forEach((row, i) => {
      const key = this.key(row);
      if (!this.shown.has(key)) this.shown.set(key, this.#make(row));
      const element = this.shown.get(key);
      if (this.body.children[i] !== element) this.body.insertBefore(element, this.body.children[i]);
      this.columns.forEach((column, at) => refresh(element.children[at], column, row));
    });
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus();
  }

  #make(row) {
    return h("tr", {}, this.columns.map((column) => (
      h("td", { class: classesOf(column) }, column.node ? column.node(row) : ""))));
  }
}

function refresh(place, column, row) {
  if (!column.node) setText(place, column.cell(row));
  else column.refresh?.(place.firstElementChild, row);
}

function classesOf({ number, minor, wide }) {
  return [number && "number", minor && "minor", wide && "wide"].filter(Boolean).join(" ") || null;
}

function compare(a, b) {
  if (typeof a === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
