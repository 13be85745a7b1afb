// Films and what is known of them, fetched ahead so that the next one is there when it is wanted.

import * as api from "./api.js";

const KEPT = 5;

export class Films {
  constructor() {
    this.entries = new Map();
  }

  // {detail, film} of an image; film is null where there are no pixels.
  open(id, reader) {
    const key = `${reader} ${id}`;
    let entry = this.entries.get(key);
    if (entry) this.entries.delete(key);
    else entry = this.#fetch(id, reader, key);
    this.entries.set(key, entry);
    while (this.entries.size > KEPT) {
      const [oldest, gone] = this.entries.entries().next().value;
      gone.controller.abort();
      this.entries.delete(oldest);
    }
    return entry.promise;
  }

  // Fetch ahead; nobody waits, so nobody is told what went wrong.
  ahead(id, reader) {
    this.open(id, reader).catch(() => {});
  }

  // What is known of an image has changed.
  forget(id, reader) {
    const entry = this.entries.get(`${reader} ${id}`);
    if (entry) entry.stale = true;
  }

  #fetch(id, reader, key) {
    const controller = new AbortController();
    const entry = { controller, promise: null, stale: false };
    entry.promise = (async () => {
      try {
        const detail = await api.image(id, reader, controller.signal);
        const film = detail.pixels ? await api.pixels(id, controller.signal) : null;
        return { detail, film };
      } catch (error) {
        if (this.entries.get(key) === entry) this.entries.delete(key);
        throw error;
      }
    })();
    return entry;
  }

  // As `open`, with what the service knows now; pixels do not change.
  async fresh(id, reader) {
    const key = `${reader} ${id}`;
    const stale = this.entries.get(key)?.stale;
    const opened = await this.open(id, reader);
    if (!stale) return opened;
    const detail = await api.image(id, reader);
    const renewed = { ...opened, detail };
    const entry = this.entries.get(key);
    if (entry) {
      entry.stale = false;
      entry.promise = Promise.resolve(renewed);
    }
    return renewed;
  }
}
