// What the service is asked. Every call may throw ServiceError; nothing is asked of anybody else.

const BASE = new URL("../api/", document.baseURI);
const TOKEN = "ribsight-token";

export class ServiceError extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

export function setToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

async function ask(path, { method = "GET", body, signal } = {}) {
  // A header that no form and no other site can send without being asked first.
  const headers = { "X-Ribsight": "triage" };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, "the service does not answer");
  }
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => "");
  const detail = isJson(answer) ? JSON.parse(text).detail : text.trim();
  const words = typeof detail === "string" ? detail : detail?.reason;
  throw new ServiceError(answer.status, words || `the service answered ${answer.status}`, detail);
}

const isJson = (answer) => (answer.headers.get("Content-Type") || "").startsWith("application/json");

const json = async (path, options) => (await ask(path, options)).json();

export const about = () => json("about");

export function worklist(query, signal) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  return json(`worklist?${new URLSearchParams(given)}`, { signal });
}

export const image = (id, reader, signal) =>
  json(`images/${id}?${new URLSearchParams({ reader })}`, { signal });

export async function pixels(id, signal) {
  const answer = await ask(`images/${id}/pixels`, { signal });
  const width = Number(answer.headers.get("X-Width"));
  const height = Number(answer.headers.get("X-Height"));
  const [low, high] = (answer.headers.get("X-Window") || "0,65535").split(",").map(Number);
  const bytes = await answer.arrayBuffer();
  if (bytes.byteLength !== 2 * width * height) throw new ServiceError(0, "the film came incomplete");
  return { width, height, window: { low, high }, samples: new Uint16Array(bytes) };
}

export const heat = async (id, finding, signal) =>
  (await ask(`images/${id}/heat/${encodeURIComponent(finding)}`, { signal })).blob();

export const saveReview = (id, review) =>
  json(`images/${id}/reviews`, { method: "POST", body: review });
