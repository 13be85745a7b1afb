// Between stored pixels and the screen. A view is {zoom, x, y}: screen = stored * zoom + (x, y),
// in CSS pixels of the stage; stored pixels have their origin at the top-left corner of the
// top-left pixel. Everything here is a pure function.

const LEAST_SHOWN = 40; // CSS pixels of the film that stay in sight
const MAX_ZOOM = 32;

export function fit(image, stage) {
  const zoom = Math.min(stage.width / image.width, stage.height / image.height) || 1;
  return {
    zoom,
    x: (stage.width - image.width * zoom) / 2,
    y: (stage.height - image.height * zoom) / 2,
  };
}

export function toScreen(view, [x, y]) {
  return [x * view.zoom + view.x, y * view.zoom + view.y];
}

export function toStored(view, [x, y]) {
  return [(x - view.x) / view.zoom, (y - view.y) / view.zoom];
}

// Zoom so that what is under `point` (CSS pixels of the stage) stays there.
export function zoomAt(view, factor, point, image, stage) {
  const least = Math.min(fit(image, stage).zoom, 1) / 4;
  const zoom = Math.min(Math.max(view.zoom * factor, least), MAX_ZOOM);
  const [x, y] = toStored(view, point);
  return kept({ zoom, x: point[0] - x * zoom, y: point[1] - y * zoom }, image, stage);
}

export function panned(view, dx, dy, image, stage) {
  return kept({ ...view, x: view.x + dx, y: view.y + dy }, image, stage);
}

// Keep some of the film in sight.
function kept(view, image, stage) {
  const within = (value, length, room) =>
    Math.min(Math.max(value, LEAST_SHOWN - length * view.zoom), room - LEAST_SHOWN);
  return {
    zoom: view.zoom,
    x: within(view.x, image.width, stage.width),
    y: within(view.y, image.height, stage.height),
  };
}

// The box between two corners, cut to the image: [x0, y0, x1, y1].
export function boxBetween([ax, ay], [bx, by], image) {
  const cut = (value, most) => Math.min(Math.max(value, 0), most);
  const xs = [cut(ax, image.width), cut(bx, image.width)].sort((a, b) => a - b);
  const ys = [cut(ay, image.height), cut(by, image.height)].sort((a, b) => a - b);
  return [xs[0], ys[0], xs[1], ys[1]].map((value) => Math.round(value * 100) / 100);
}

export function contains([x0, y0, x1, y1], [x, y]) {
  return x0 <= x && x <= x1 && y0 <= y && y <= y1;
}

export function area([x0, y0, x1, y1]) {
  return (x1 - x0) * (y1 - y0);
}

// A view that shows `box` with room around it; the zoom changes only if the box would not fit.
export function showing(view, box, image, stage) {
  const [x0, y0] = toScreen(view, [box[0], box[1]]);
  const [x1, y1] = toScreen(view, [box[2], box[3]]);
  const margin = 24;
  if (x0 > margin && y0 > margin && x1 < stage.width - margin && y1 < stage.height - margin) return view;
  const room = Math.min(stage.width / (box[2] - box[0]), stage.height / (box[3] - box[1])) * 0.8;
  const zoom = Math.min(view.zoom, room);
  const [cx, cy] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  return kept({ zoom, x: stage.width / 2 - cx * zoom, y: stage.height / 2 - cy * zoom }, image, stage);
}
