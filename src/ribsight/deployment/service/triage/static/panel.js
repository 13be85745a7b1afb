// What stands at the right: the image, what is shown of it, its marks, and the reader's review.

import { amount, certaintyWord, counted, make, sideWord, sign, spoken, when } from "./words.js";

const CERTAINTIES = ["confident", "doubtful", "below"];

// Checkboxes of what is shown; returns whether a mark is.
export class Layers {
  constructor(box, setting, changed) {
    this.finding = Object.fromEntries(setting.findings.map((one) => [one, true]));
    this.certainty = { confident: true, doubtful: true, below: false };
    this.mine = true;
    const check = (label, value, set, ...signs) => {
      const input = make("input", { type: "checkbox", checked: value });
      input.addEventListener("change", () => {
        set(input.checked);
        changed();
      });
      const row = make("label", { class: "check" }, input, ...signs, make("span", {}, label));
      box.append(row);
      return input;
    };
    for (const name of setting.findings) {
      check(setting.short[name], true, (on) => (this.finding[name] = on), sign("confident", setting.kinds[name]));
    }
    for (const name of CERTAINTIES) {
      const set = (on) => (this.certainty[name] = on);
      const input = check(name, this.certainty[name], set, sign(name, ""));
      input.setAttribute("aria-label", certaintyWord(name));
      if (name === "below") this.below = input;
    }
    check("drawn by you", true, (on) => (this.mine = on));
  }

  toggleBelow() {
    this.below.click();
  }

  shows(mark) {
    if (!this.finding[mark.finding]) return false;
    return mark.drawn ? this.mine : this.certainty[mark.certainty ?? "below"];
  }
}

export function drawAbout(list, detail, setting) {
  const { accession, study_date: date, view } = detail.header;
  const rows = [["image", detail.name]];
  if (accession) rows.push(["accession", accession]);
  if (date) rows.push(["study", `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`]);
  rows.push(["received", when(detail.received)]);
  if (view) rows.push(["view", view.toUpperCase()]);
  if (detail.width) rows.push(["size", `${detail.width} x ${detail.height} pixels`]);
  for (const [finding, said] of Object.entries(detail.records)) {
    const side = sideWord(said.side);
    rows.push([`record, ${setting.short[finding] ?? spoken(finding)}`, [said.state, side].filter(Boolean).join(", ")]);
  }
  if (detail.other_readers) rows.push(["others", `${counted(detail.other_readers, "reader")} looked`]);
  for (const one of detail.warnings) rows.push(["note", one]);
  list.replaceChildren(...rows.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, String(value))]));
}

// `marks` as the page shows them, in the order in which Tab goes through them.
export function drawMarks(box, detail, marks, setting, on) {
  const parts = [];
  for (const finding of setting.findings) {
    const found = detail.findings.find((one) => one.finding === finding);
    const own = marks.filter((one) => one.finding === finding);
    if (!found && !own.length) continue;
    const share = found ? `${amount(found)}, ${found.certainty ?? "nothing"}` : "";
    parts.push(
      make(
        "h3",
        { class: `marks-of ${setting.kinds[finding]}` },
        sign(found?.certainty, setting.kinds[finding]),
        spoken(finding),
        make("span", { class: "share muted" }, share),
      ),
      make("ul", { class: "marks" }, ...own.map((one) => markRow(one, setting, on))),
    );
  }
  box.replaceChildren(...parts);
  if (!parts.length) box.append(make("p", { class: "muted" }, "No result for this image."));
}

function markRow(mark, setting, on) {
  const decide = (decision, word, glyph) =>
    make(
      "button",
      {
        class: `decide ${word}`,
        "aria-pressed": String(mark.decision === decision),
        "aria-label": `${word} ${mark.title}`,
        title: `${word} (${word[0]})`,
        onclick: () => on.decide(mark.key, decision),
      },
      glyph,
    );
  const remove = make(
    "button",
    { class: "decide", "aria-label": `remove ${mark.title}`, title: "remove (Delete)", onclick: () => on.remove(mark.key) },
    "✕",
  );
  const drawn = ["drawn by you", sideWord(mark.side)];
  const found = () => [amount(mark), certaintyWord(mark.certainty), sideWord(mark.side)];
  return make(
    "li",
    { class: `mark-row ${mark.selected ? "selected" : ""} ${mark.decision ?? ""}`, "data-key": mark.key },
    sign(mark.drawn ? "confident" : mark.certainty, setting.kinds[mark.finding]),
    make(
      "button",
      { class: "of", "aria-label": `go to ${mark.title}`, onclick: () => on.goTo(mark.key) },
      (mark.drawn ? drawn : found()).filter(Boolean).join(", "),
    ),
    ...(mark.drawn ? [remove] : [decide("accepted", "accept", "✓"), decide("rejected", "reject", "✕")]),
  );
}

// What saving this review would mean for learning, in one line.
export function consequence(review, marks) {
  const accepted = marks.filter((one) => one.decision === "accepted").length; // drawn ones too
  const open = marks.filter((one) => !one.drawn && one.certainty && !one.decision).length;
  if (!review.complete) {
    return accepted ? "Not complete: regions are not learned from until it is." : "";
  }
  const rest = open ? ` ${counted(open, "undecided mark")} will count as rejected.` : "";
  return accepted ? `${counted(accepted, "region")}, nothing else.${rest}` : `A negative image.${rest}`;
}
