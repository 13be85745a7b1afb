"""A figure on paper: one drawing that becomes inline SVG, a file of SVG or a PNG.

Text stays text, ink follows the page, equal input gives equal bytes.
"""

import io
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Okabe and Ito's palette, told apart with every kind of colour vision; the line styles say the
# same in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
STYLES = ("-", "--", "-.", ":")
# matplotlib has no "colour of the surrounding text"; this stand-in becomes it.
INK = "#010203"


@dataclass(frozen=True, eq=False)
class Plot:
    """A drawing, a name for its file and ids, and words for those who cannot see it."""

    canvas: "Canvas"
    name: str
    alt: str

    def svg(self) -> str:
        """Return the drawing as an `<svg>` element whose ids start with the name."""
        import matplotlib as mpl

        # Without a fixed salt ids are random, and without fonttype "none" letters become shapes.
        stream = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": self.name, "svg.fonttype": "none"}):
            self.canvas.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
        svg = stream.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
        svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{self.name}-", svg)
        svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
        svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
        svg = svg.replace(INK, "currentColor")
        return svg.replace("<svg", f'<svg role="img" aria-label="{escape(self.alt)}"', 1)

    def svg_file(self) -> bytes:
        """Return the drawing as the content of an SVG file, black on transparent."""
        return f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg()}'.encode()

    def png_file(self, dots_per_inch: int = 200) -> bytes:
        """Return the drawing as the content of a PNG file, black on white."""
        stream = io.BytesIO()
        self.canvas.savefig(stream, format="png", dpi=dots_per_inch, facecolor="white")
        return stream.getvalue()


def square(x_label: str, y_label: str) -> tuple["Canvas", "Axes"]:
    """Return an empty drawing with both axes from 0 to 1."""
    canvas, axes = blank(4.4, 4.2)
    axes.set(xlabel=x_label, ylabel=y_label, ylim=(0, 1.02))
    return canvas, axes


def blank(width: float, height: float) -> tuple["Canvas", "Axes"]:
    """Return an empty drawing of a size in inches."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(width, height), layout="constrained")
    axes = canvas.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.tick_params(colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return canvas, axes


def legend(axes: "Axes") -> None:
    """Write the legend above the axes, if anything has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, labelcolor=INK, ncols=1
        )
