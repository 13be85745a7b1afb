// Mouse, pen and fingers on the stage. One pointer does what the tool says; the middle button or
// Space pans; the right button zooms; two fingers zoom and pan; the wheel zooms where it points.

import { area, boxBetween, contains } from "./geometry.js";

const STILL = 4; // CSS pixels: less is a click
const LEAST_BOX = 5;
const OPPOSITE = { nw: [2, 3], ne: [0, 3], sw: [2, 1], se: [0, 1] };

export function watchPointer(viewer, on) {
  const { stage } = viewer;
  const down = new Map();
  let drag = null;

  const at = (event) => {
    const frame = stage.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };

  stage.addEventListener("pointerdown", (event) => {
    if (!viewer.film) return;
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    if (down.size === 2) {
      if (drag?.kind === "draw") viewer.grow(null);
      drag = { kind: "pinch", ...pinch(down) };
      return;
    }
    if (down.size > 2) return;
    drag = begin(event, at(event));
    if (drag.kind !== "mark") event.preventDefault();
    stage.classList.toggle("dragging", drag.kind === "pan");
    document.activeElement?.blur?.();
  });

  function begin(event, point) {
    const start = { point, last: point, moved: false, window: viewer.window };
    const corner = event.target.dataset?.corner;
    const key = event.target.closest?.("[data-key]")?.dataset.key;
    if (corner && event.button === 0) {
      const mark = viewer.overlay.marks.find((one) => one.key === key);
      return { ...start, kind: "corner", key, fixed: OPPOSITE[corner].map((index) => mark.box[index]) };
    }
    if (event.button === 1 || on.spaceHeld()) return { ...start, kind: "pan" };
    if (event.button === 2) return { ...start, kind: "zoom" };
    if (viewer.tool === "draw") return { ...start, kind: "draw", from: viewer.storedAt(point) };
    if (key) return { ...start, kind: "mark", key };
    return { ...start, kind: viewer.tool };
  }

  stage.addEventListener("pointermove", (event) => {
    const point = at(event);
    on.hover(viewer.film ? viewer.storedAt(point) : null);
    if (!drag || !down.has(event.pointerId)) return;
    down.set(event.pointerId, point);
    if (drag.kind === "pinch") {
      if (down.size === 2) drag = pinched(viewer, drag, pinch(down));
      return;
    }
    const [dx, dy] = [point[0] - drag.point[0], point[1] - drag.point[1]];
    if (!drag.moved && Math.hypot(dx, dy) < STILL) return;
    drag.moved = true;
    move(point, dx, dy);
    drag.last = point;
  });

  function move(point, dx, dy) {
    const [sx, sy] = [point[0] - drag.last[0], point[1] - drag.last[1]];
    if (drag.kind === "pan") viewer.pan(sx, sy);
    else if (drag.kind === "zoom") viewer.zoom(Math.exp(-sy / 150), drag.point);
    else if (drag.kind === "draw") viewer.grow(drag.from, viewer.storedAt(point));
    else if (drag.kind === "corner") on.reshape(drag.key, boxBetween(drag.fixed, viewer.storedAt(point), viewer.image), false);
    else viewer.dragWindow(drag.window, dx, dy);
  }

  function end(event) {
    if (!down.delete(event.pointerId) || !drag) return;
    const ended = drag;
    if (down.size) {
      if (ended.kind === "pinch") drag = { kind: "none" };
      return;
    }
    drag = null;
    stage.classList.remove("dragging");
    const point = at(event);
    if (ended.kind === "draw") {
      viewer.grow(null);
      const [dx, dy] = [point[0] - ended.point[0], point[1] - ended.point[1]];
      const box = boxBetween(ended.from, viewer.storedAt(point), viewer.image);
      if (event.type === "pointerup" && Math.min(Math.abs(dx), Math.abs(dy)) >= LEAST_BOX && area(box) > 0) on.drawn(box);
    } else if (ended.kind === "corner" && ended.moved) {
      on.reshape(ended.key, boxBetween(ended.fixed, viewer.storedAt(point), viewer.image), true);
    } else if (event.type === "pointerup" && !ended.moved && event.button === 0) {
      on.select(ended.key ?? smallestAt(viewer, viewer.storedAt(point)));
    }
  }
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("pointerleave", () => on.hover(null));
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("auxclick", (event) => event.preventDefault());
  stage.addEventListener("dblclick", () => viewer.tool !== "draw" && viewer.fit());
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 30 : 1;
      viewer.zoom(Math.exp(-Math.max(Math.min(event.deltaY * lines, 200), -200) / 500), at(event));
    },
    { passive: false },
  );
}

function smallestAt(viewer, point) {
  const hits = viewer.overlay.marks.filter((one) => contains(one.box, point));
  hits.sort((a, b) => area(a.box) - area(b.box));
  return hits[0]?.key ?? null;
}

function pinch(down) {
  const [[ax, ay], [bx, by]] = [...down.values()];
  return { apart: Math.hypot(ax - bx, ay - by), middle: [(ax + bx) / 2, (ay + by) / 2] };
}

function pinched(viewer, before, now) {
  viewer.pan(now.middle[0] - before.middle[0], now.middle[1] - before.middle[1]);
  if (before.apart > 0 && now.apart > 0) viewer.zoom(now.apart / before.apart, now.middle);
  return { kind: "pinch", ...now };
}
