"""Print what `ribsight deidentify` keeps as a Markdown table, for docs/deidentification.md.

python tools/list_kept_attributes.py
"""

from ribsight.deidentification.allow_list import KEPT
from ribsight.deidentification.sequences import KEPT_SEQUENCES


def main() -> None:
    print("| kept | as | why |")
    print("| --- | --- | --- |")
    rows: dict[tuple[str, str], list[str]] = {}
    for kept in KEPT:
        rows.setdefault((kept.what, kept.why), []).append(kept.keyword)
    for sequence in KEPT_SEQUENCES:
        rows.setdefault((sequence.what, sequence.why), []).append(sequence.keyword)
    for (what, why), keywords in rows.items():
        print(f"| {', '.join(keywords)} | {what} | {why} |")


if __name__ == "__main__":
    main()
