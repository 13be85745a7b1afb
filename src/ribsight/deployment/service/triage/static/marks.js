// What the page shows as marks: those of the detector as the reader judges them, and the drawn ones.

import { amount, certaintyWord, sideWord, spoken } from "./words.js";

const SIDE_LETTER = { left: "L", right: "R" };

// Of an image (`detail`), a review, and what the findings are called; `selected` is a key.
export function marksOf(detail, review, setting, selected) {
  const found = detail.findings.flatMap((one) => one.marks.map((mark) => detected(mark, one.finding, review, setting)));
  const drawn = review.drawn.map((one, index) => ownBox(one, index, setting));
  return [...found, ...drawn].map((one) => ({ ...one, selected: one.key === selected }));
}

function detected(mark, finding, review, setting) {
  const words = [setting.short[finding], certaintyWord(mark.certainty), amount(mark), sideWord(mark.side)];
  return {
    ...mark,
    finding,
    kind: setting.kinds[finding],
    certainty: mark.certainty ?? "below",
    drawn: false,
    decision: review.decisions[mark.key],
    label: [amount(mark), SIDE_LETTER[mark.side]].filter(Boolean).join(" "),
    title: words.filter(Boolean).join(", "),
  };
}

function ownBox({ id, finding, box }, index, setting) {
  const name = setting.short[finding] ?? spoken(finding);
  return {
    key: id,
    finding,
    box,
    kind: setting.kinds[finding] ?? "finding-0",
    certainty: "confident",
    drawn: true,
    editable: true,
    decision: "accepted",
    label: name,
    title: `${name}, drawn by you, ${index + 1}`,
  };
}
