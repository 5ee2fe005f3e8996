#!/usr/bin/env python3
"""Draws what bench/run.py --json and bench/backlog.py measured, as SVG; needs nothing but Python.

    bench/run.py --json run.json;  bench/backlog.py > backlog.jsonl
    bench/plot.py --run run.json --backlog backlog.jsonl --out docs/images
"""
import argparse
import json
import pathlib
import statistics
from html import escape

COLOURS = {"busbar": "#1f6feb", "limit": "#9aa4af", "rabbitmq": "#e8710a", "rabbitmq quorum": "#b45309", "activemq": "#7a3ea8"}
STYLE = "font-family:sans-serif;font-size:12px;fill:#24292f"


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="{STYLE}">'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>' + "".join(parts) + "</svg>\n")


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def short(value):
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1000:.0f}k" if value >= 10_000 else f"{value:.0f}"


def bars(results):
    """A row a line, each server's median rate relative to the best of the row."""
    rates = {}
    for column, all_of in results.items():
        for result in all_of:
            value = result.get("msgs_per_s")
            if value:
                rates.setdefault(result["row"], {}).setdefault(column, []).append(value)
    parts, y = [text(10, 20, "messages a second, relative to the best of each row", more='font-weight="bold"')], 44
    for row, columns in rates.items():
        medians = {c: statistics.median(v) for c, v in columns.items()}
        best = max(medians.values())
        parts.append(text(10, y, row))
        for column in [c for c in COLOURS if c in medians]:
            y += 15
            width = 480 * medians[column] / best
            parts.append(f'<rect x="130" y="{y - 10}" width="{width:.1f}" height="11" fill="{COLOURS[column]}"/>')
            parts.append(text(124, y, column, "end") + text(136 + width, y, short(medians[column])))
        y += 26
    return svg(700, y, parts)


def line(points, x_max, y_max, left, top, width, height, colour):
    places = " ".join(f"{left + width * x / x_max:.1f},{top + height - height * y / y_max:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour}"/>' for p in places.split())
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>' + dots


def backlog(steps):
    filled = [s for s in steps if s["step"] == "filled"]
    drained = [s for s in steps if s["step"] == "drained"]
    started = next(s for s in steps if s["step"] == "killed and started")
    most = max(s["waiting"] for s in filled)
    memory_max = 1.2 * max(s["resident_mib"] for s in filled + drained)
    rate_max = 1.2 * max(s["msgs_per_s"] for s in filled + drained)
    parts = [text(10, 20, f"a queue of {short(most)} messages of 1 KiB; ready {started['ready_ms'] / 1000:.2f} s after kill -9", more='font-weight="bold"')]
    for index, (name, key, top_value) in enumerate([("resident memory, MiB", "resident_mib", memory_max), ("messages a second", "msgs_per_s", rate_max)]):
        left, top, width, height = 60 + index * 340, 50, 260, 180
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#d0d7de"/>')
        parts.append(text(left, top - 8, name))
        for share in (0, 0.5, 1):
            parts.append(text(left - 6, top + height - height * share + 4, short(top_value * share), "end"))
            parts.append(text(left + width * share, top + height + 16, short(most * share), "middle"))
        parts.append(line([(s["waiting"], s[key]) for s in filled], most, top_value, left, top, width, height, "#1f6feb"))
        parts.append(line([(s["waiting"], s[key]) for s in drained], most, top_value, left, top, width, height, "#2da44e"))
    parts.append(text(60, 275, "blue: while it is filled, green: while it is drained, by the number of messages that wait"))
    return svg(700, 290, parts)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--run", type=pathlib.Path)
    options.add_argument("--backlog", type=pathlib.Path)
    options.add_argument("--out", type=pathlib.Path, required=True)
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.run:
        results = json.loads(chosen.run.read_text(encoding="utf-8"))["results"]
        (chosen.out / "benchmarks.svg").write_text(bars(results), encoding="utf-8")
    if chosen.backlog:
        steps = [json.loads(each) for each in chosen.backlog.read_text(encoding="utf-8").splitlines() if each.startswith("{")]
        (chosen.out / "backlog.svg").write_text(backlog(steps), encoding="utf-8")


if __name__ == "__main__":
    main()
