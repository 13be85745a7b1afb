// Marks and drawn boxes over the film, as SVG: sharp at every zoom, and each can be focused.

import { toScreen } from "./geometry.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST_SIDE = 6; // CSS pixels
const HANDLE = 9;

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

export class Overlay {
  // `onSelect(key)` is called when a mark gets the focus or a click.
  constructor(svg, onSelect) {
    this.svg = svg;
    this.onSelect = onSelect;
    this.marks = [];
    this.groups = new Map();
    this.growing = null;
    this.cross = null;
    this.handles = element("g", { class: "handles" }, svg); // above all marks
  }

  // Marks: {key, box, kind, certainty, decision, editable, title, label, selected}.
  set(marks) {
    this.marks = marks;
    const wanted = new Set(marks.map((one) => one.key));
    for (const [key, group] of this.groups) {
      if (!wanted.has(key)) {
        group.remove();
        this.groups.delete(key);
      }
    }
    for (const mark of marks) {
      if (!this.groups.has(mark.key)) this.groups.set(mark.key, this.#group(mark));
    }
  }

  #group(mark) {
    const group = element("g", { tabindex: "0", role: "button", "data-key": mark.key });
    this.svg.insertBefore(group, this.handles);
    for (const name of ["halo", "line", "touch"]) element("rect", { class: name }, group);
    const text = element("text", {}, group);
    element("tspan", { class: "words" }, text);
    element("tspan", { class: "decided" }, text);
    group.addEventListener("focus", () => this.onSelect(mark.key));
    return group;
  }

  focus(key) {
    this.groups.get(key)?.focus({ preventScroll: true });
  }

  place(view) {
    let corners = null;
    for (const mark of this.marks) {
      const group = this.groups.get(mark.key);
      const [ax, ay] = toScreen(view, [mark.box[0], mark.box[1]]);
      const [bx, by] = toScreen(view, [mark.box[2], mark.box[3]]);
      const width = Math.max(bx - ax, LEAST_SIDE);
      const height = Math.max(by - ay, LEAST_SIDE);
      const x = (ax + bx - width) / 2;
      const y = (ay + by - height) / 2;
      const words = ["mark", mark.kind, mark.certainty, mark.decision, mark.selected ? "selected" : ""];
      group.setAttribute("class", words.filter(Boolean).join(" "));
      group.setAttribute("aria-label", mark.title);
      group.setAttribute("aria-pressed", String(Boolean(mark.selected)));
      for (const rect of group.querySelectorAll("rect")) {
        for (const [key, value] of Object.entries({ x, y, width, height })) rect.setAttribute(key, value);
      }
      const text = group.querySelector("text");
      text.setAttribute("x", x);
      text.setAttribute("y", y > 18 ? y - 5 : y + height + 14);
      text.querySelector(".words").textContent = mark.label;
      text.querySelector(".decided").textContent =
        { accepted: " ✓", rejected: " ✕" }[mark.decision] ?? "";
      if (mark.selected && mark.editable) corners = { key: mark.key, x, y, width, height };
    }
    this.#placeHandles(corners);
  }

  // At the corners of the box that can be reshaped, if there is one.
  #placeHandles(corners) {
    if (!corners) {
      this.handles.replaceChildren();
      return;
    }
    const { key, x, y, width, height } = corners;
    this.handles.setAttribute("data-key", key);
    const places = { nw: [x, y], ne: [x + width, y], sw: [x, y + height], se: [x + width, y + height] };
    for (const [name, [hx, hy]] of Object.entries(places)) {
      const handle =
        this.handles.querySelector(`.${name}`) ??
        element("rect", { class: `handle ${name}`, width: HANDLE, height: HANDLE, "data-corner": name }, this.handles);
      handle.setAttribute("x", hx - HANDLE / 2);
      handle.setAttribute("y", hy - HANDLE / 2);
    }
  }

  // The box that is being drawn, in stored pixels; null takes it away.
  grow(view, box) {
    if (!box) {
      this.growing?.remove();
      this.growing = null;
      return;
    }
    this.growing ??= element("rect", { class: "growing" }, this.svg);
    const [x, y] = toScreen(view, [box[0], box[1]]);
    const [x1, y1] = toScreen(view, [box[2], box[3]]);
    for (const [key, value] of Object.entries({ x, y, width: x1 - x, height: y1 - y })) {
      this.growing.setAttribute(key, value);
    }
  }

  // The cross of drawing by keyboard, at a stored pixel; null takes it away.
  point(view, at) {
    if (!at) {
      this.cross?.remove();
      this.cross = null;
      return;
    }
    this.cross ??= element("path", { class: "cross" }, this.svg);
    const [x, y] = toScreen(view, at);
    this.cross.setAttribute("d", `M${x - 5000} ${y}H${x + 5000}M${x} ${y - 5000}V${y + 5000}`);
  }
}
