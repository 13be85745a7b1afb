// The list of images at the left: filters, order, pages, and which one is open.

import * as api from "./api.js";
import { amount, certaintyWord, counted, make, sign, spoken, when, STATES } from "./words.js";

const PAGE = 50;
const KEPT = "ribsight-filters";

export class Worklist {
  // `on` has open(id), failed(error), changed(). `setting` has findings, kinds, short names.
  constructor({ form, rows, empty, back, onward, said }, on) {
    Object.assign(this, { form, rows, empty, back, onward, said, on });
    this.items = [];
    this.total = 0;
    this.offset = 0;
    this.reader = "";
    this.unsaved = () => false;
    form.addEventListener("change", () => {
      sessionStorage.setItem(KEPT, JSON.stringify(this.filters));
      this.load(0);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    back.addEventListener("click", () => this.load(this.offset - PAGE));
    onward.addEventListener("click", () => this.load(this.offset + PAGE));
    rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) on.open(row.dataset.id);
    });
  }

  start(setting, reader) {
    this.setting = setting;
    this.reader = reader;
    for (const name of setting.findings) {
      this.form.elements.finding.append(make("option", { value: name }, spoken(name)));
    }
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
    for (const [name, value] of Object.entries(kept)) {
      if (this.form.elements[name]) this.form.elements[name].value = value;
    }
  }

  get filters() {
    return Object.fromEntries(new FormData(this.form));
  }

  async load(offset = this.offset) {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const query = { ...this.filters, reader: this.reader, offset: Math.max(offset, 0), limit: PAGE };
    try {
      const answer = await api.worklist(query, asking.signal);
      this.items = answer.items;
      this.total = answer.total;
      this.offset = answer.offset;
      this.unread = answer.unread;
      this.draw();
      return true;
    } catch (error) {
      if (error.name !== "AbortError") this.on.failed(error);
      return false;
    }
  }

  select(id) {
    this.current = id;
    for (const row of this.rows.children) {
      row.setAttribute("aria-selected", String(row.dataset.id === id));
      if (row.dataset.id === id) row.scrollIntoView({ block: "nearest" });
    }
    const place = this.#place(id);
    if (place >= 0) this.rows.setAttribute("aria-activedescendant", `row-${place}`);
    else this.rows.removeAttribute("aria-activedescendant");
    this.on.changed();
  }

  #place(id) {
    return this.items.findIndex((one) => one.id === id);
  }

  // Ids of the images after the open one on this page.
  following(count) {
    const place = this.#place(this.current);
    return this.items.slice(place + 1, place + 1 + count).map((one) => one.id);
  }

  // Open the next or previous image, on the next or previous page if need be.
  async step(by) {
    const place = this.#place(this.current);
    const wanted = place < 0 ? 0 : place + by;
    if (wanted < 0 && this.offset > 0) {
      if (await this.load(this.offset - PAGE)) this.on.open(this.items.at(-1)?.id);
    } else if (wanted >= this.items.length && this.offset + this.items.length < this.total) {
      if (await this.load(this.offset + PAGE)) this.on.open(this.items[0]?.id);
    } else if (this.items[wanted]) {
      this.on.open(this.items[wanted].id);
    }
  }

  // After saving: what the list says of an image, without moving it from under the reader.
  mark(id, changes) {
    const item = this.items[this.#place(id)];
    if (!item) return;
    if (!item.read && changes.read && this.unread > 0) this.unread -= 1;
    Object.assign(item, changes);
    this.draw();
  }

  draw() {
    const focused = this.rows.contains(document.activeElement);
    this.rows.replaceChildren(...this.items.map((item, index) => this.#row(item, index)));
    if (focused) this.rows.focus();
    this.empty.hidden = this.items.length > 0;
    this.rows.hidden = this.items.length === 0;
    const last = this.offset + this.items.length;
    this.said.textContent = this.total ? `${this.offset + 1} to ${last} of ${this.total}` : "";
    this.back.disabled = this.offset === 0;
    this.onward.disabled = last >= this.total;
    this.select(this.current);
  }

  #row(item, index) {
    const { short, kinds } = this.setting;
    const order = ({ finding }) => this.setting.findings.indexOf(finding);
    const chips = item.findings.toSorted((a, b) => order(a) - order(b)).map((one) =>
      make(
        "span",
        {
          class: `chip ${kinds[one.finding]} ${one.certainty ? "" : "nothing"}`,
          title: `${spoken(one.finding)}: ${certaintyWord(one.certainty)}`,
        },
        sign(one.certainty, kinds[one.finding]),
        `${short[one.finding]} ${amount(one)}`,
      ),
    );
    const ticks = [];
    if (this.unsaved(item.id)) ticks.push(make("span", { title: "not saved yet" }, "•"));
    if (item.read) {
      const said = item.complete ? "read, complete" : "read, not complete";
      ticks.push(make("span", { class: "tick", title: said, "aria-label": said }, item.complete ? "✓✓" : "✓"));
    }
    const why = item.state === "done" ? item.why : item.reason || STATES[item.state];
    return make(
      "li",
      {
        id: `row-${index}`,
        class: `row ${item.read ? "read" : ""}`,
        role: "option",
        "data-id": item.id,
        "aria-selected": String(item.id === this.current),
      },
      make("span", { class: "when" }, when(item.received)),
      make("span", { class: "name muted" }, item.name, ...ticks),
      make("span", { class: "chips" }, ...chips),
      why ? make("span", { class: "why" }, item.state === "done" ? why : `${STATES[item.state]}: ${why}`) : null,
    );
  }

  get place() {
    const place = this.#place(this.current);
    const where = place < 0 ? "" : `${this.offset + place + 1} of ${this.total}`;
    const unread = this.unread == null ? "" : `${counted(this.unread, "image")} unread`;
    return [where, unread].filter(Boolean).join(", ");
  }
}
