"""The figures as Markdown."""

import statistics


def quartiles(values):
    """First quartile, median, third quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def spread(values, digits):
    """Median and, in brackets, interquartile range."""
    low, middle, high = quartiles(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}–{high:.{digits}f}]"


def median(values):
    return statistics.median(values)


def median_ratio(numerators, denominators):
    """Of what was measured in the same round: the machine's drift over the run does not count then."""
    return statistics.median(a / b for a, b in zip(numerators, denominators))


def ratio(numerators, denominators):
    """The same, with its spread; nothing if what to compare with was not measured."""
    if denominators is None:
        return "–"
    return spread([a / b for a, b in zip(numerators, denominators)], 2) + " ×"


def table(header, lines):
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [header, rule, *lines]) + "\n"


def heading(facts, command):
    lines = [f"- {name}: {value}" for name, value in facts]
    lines.append(f"- command: `{command}`")
    return "# Ringway side by side with Open vSwitch on DPDK\n\n" + "\n".join(lines) + "\n"


def section(title, explanation, body):
    return f"\n## {title}\n\n{explanation}\n\n{body}"


def summary(outcomes, picture):
    """What was reached and what was missed; `picture`: the file of the chart, beside the report."""
    lines = []
    for row, what, figure, target in outcomes:
        bound = "≥" if target.more_is_better else "≤"
        aim = "–" if target.aim is None else f"{target.aim:g} {target.unit}"
        missed = "reached" if target.reached(figure, target.floor) else "**missed**"
        lines.append((row, what, f"{figure:.2f} {target.unit}", f"{bound} {target.floor:g} {target.unit}", aim, missed))
    body = table(("row", "what", "Ringway", "floor", "aim", "floor is"), lines)
    explanation = "Ratios (×) are to the better Open vSwitch. Single runs on a disturbed machine prove nothing."
    if picture:
        body += f"\n![Ratios to Open vSwitch]({picture})\n"
    return section("Summary", explanation, body)
