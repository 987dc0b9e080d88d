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
