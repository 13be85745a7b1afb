// Brightness and contrast of 16-bit samples. A window is {low, high}: samples from `low` on are no
// longer black, from `high` on they are white.

const TOP = 65535;
const BINS = 1024;
const LEAST_WIDTH = 64;

// Where the samples lie; computed once a film.
export function histogram(samples) {
  const counts = new Uint32Array(BINS);
  const step = Math.max(Math.floor(samples.length / 400_000), 1);
  for (let i = 0; i < samples.length; i += step) counts[samples[i] >> 6] += 1;
  return counts;
}

function quantile(counts, share) {
  const total = counts.reduce((sum, one) => sum + one, 0);
  let seen = 0;
  for (let bin = 0; bin < counts.length; bin += 1) {
    seen += counts[bin];
    if (seen >= share * total) return (bin + 0.5) * 64;
  }
  return TOP;
}

export function presets(counts, given) {
  const between = (low, high) => bounded(quantile(counts, low), quantile(counts, high));
  return {
    default: given,
    auto: between(0.01, 0.995),
    dense: between(0.45, 0.999),
    dark: between(0.005, 0.6),
    full: { low: 0, high: TOP },
  };
}

function bounded(low, high) {
  const width = Math.max(high - low, LEAST_WIDTH);
  return { low, high: low + width };
}

// Dragging: to the right widens, downwards darkens, in shares of the stage.
export function dragged(window, right, down) {
  const width = Math.min(Math.max((window.high - window.low) * Math.exp(1.6 * right), LEAST_WIDTH), 2 * TOP);
  const centre = (window.low + window.high) / 2 + down * 1.2 * Math.max(width, TOP / 8);
  const middle = Math.min(Math.max(centre, 0), TOP);
  return { low: middle - width / 2, high: middle + width / 2 };
}

// Paint samples through a window into `pixels`, 32 bits a pixel, opaque grey.
export function paint(samples, pixels, window, inverted) {
  const table = new Uint32Array(TOP + 1);
  const scale = 255 / Math.max(window.high - window.low, 1);
  for (let value = 0; value <= TOP; value += 1) {
    let grey = Math.min(Math.max((value - window.low) * scale, 0), 255);
    if (inverted) grey = 255 - grey;
    const byte = Math.round(grey);
    table[value] = 0xff000000 | (byte << 16) | (byte << 8) | byte;
  }
  for (let i = 0; i < samples.length; i += 1) pixels[i] = table[samples[i]];
}
