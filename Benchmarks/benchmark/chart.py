"""The ratios to Open vSwitch as a picture (SVG), with what they should be at least."""

from xml.sax.saxutils import escape

LABELS, WIDTH, FIGURES = 210, 480, 90
STEP, BAR, TOP, BOTTOM = 28, 14, 52, 30
REACHED, MISSED, MARK, TEXT, GRID = "#2a78b5", "#c0504d", "#222", "#222", "#ddd"


def shown(outcomes):
    """Those that are ratios of which more is better: what times or bytes are to be compared with is in the table."""
    return [outcome for outcome in outcomes if outcome.target.unit == "×" and outcome.target.more_is_better]


def text(x, y, words, anchor="start", size=13):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{TEXT}">{escape(words)}</text>'
    )


def line(x, top, bottom, colour, width=1, dashes=""):
    style = f'stroke="{colour}" stroke-width="{width}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" {style}/>'


def grid(most):
    """A step that divides the scale into 5 to 10 parts."""
    step = 0.5
    while most / step > 10:
        step *= 2
    return [number * step for number in range(int(most / step) + 1)]


def svg(outcomes):
    """A bar for each, a line for its floor, a dashed one for its aim; empty if there is nothing to show."""
    rows = shown(outcomes)
    if not rows:
        return ""
    most = 1.05 * max(max(row.figure, row.target.floor, row.target.aim or 0) for row in rows)
    height, base = TOP + STEP * len(rows) + BOTTOM, TOP + STEP * len(rows)

    def at(value):
        return LABELS + WIDTH * value / most

    parts = [
        text(10, 22, "Ringway's packet rate, by that of the better Open vSwitch", size=15),
        text(10, 40, "bar: measured, red where below the floor; line: floor; dashes: aim", size=11),
    ]
    for value in grid(most):
        parts += [line(at(value), TOP, base, GRID), text(at(value), base + 18, f"{value:g} ×", "middle", 11)]
    for number, row in enumerate(rows):
        top = TOP + STEP * number + (STEP - BAR) / 2
        colour = REACHED if row.target.reached(row.figure, row.target.floor) else MISSED
        parts.append(text(LABELS - 10, top + BAR - 2, row.row, "end"))
        parts.append(
            f'<rect x="{LABELS}" y="{top:.1f}" width="{WIDTH * row.figure / most:.1f}" height="{BAR}" fill="{colour}"/>'
        )
        parts.append(line(at(row.target.floor), top - 4, top + BAR + 4, MARK, 2))
        if row.target.aim is not None:
            parts.append(line(at(row.target.aim), top - 4, top + BAR + 4, MARK, 1.5, "3 2"))
        parts.append(text(LABELS + WIDTH + 10, top + BAR - 2, f"{row.figure:.2f} ×"))
    size = f'width="{LABELS + WIDTH + FIGURES}" height="{height}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
