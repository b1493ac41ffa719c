"""Draws the chart by hand: a group of bars for each workload, CPU seconds as a multiple of the roofline. Colours follow the reader's
theme, and every bar has its figure in words."""

from html import escape

from suite.engines import ENGINES
from suite.workloads import MAIN, WORKLOADS, events_of

BAR, GAP, GROUP = 15, 4, 20
LEFT, WIDTH, TOP = 190, 560, 66
# Beyond this multiple a bar is cut, with its figure beside it.
MOST = 10

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .group { font-weight: 600; }
  .note { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .base { stroke: #59636e; stroke-dasharray: 3 3; }
  .bar { fill: #b6c2cf; }
  .outflow { fill: #0969da; }
  .roofline { fill: #59636e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .base { stroke: #9198a1; }
    .bar { fill: #4d5966; }
    .outflow { fill: #4493f8; }
    .roofline { fill: #9198a1; }
  }
"""


def draw(size, results):
    """The chart of one size as SVG."""
    body, y = [], TOP
    for workload in MAIN:
        bars = _bars(results, workload)
        if not bars:
            continue
        body.append(f'<text class="group" x="8" y="{y + 4}">{escape(workload.upper())} '
                    f'<tspan class="note" font-weight="400">{escape(WORKLOADS[workload].title)}</tspan></text>')
        y += 14
        for engine, sample, ratio in bars:
            body += _bar(engine, sample, ratio, y)
            y += BAR + GAP
        y += GROUP
    body.append(f'<text class="note" x="{LEFT}" y="{y}">Bars end at {MOST}×; the figures go on.</text>')
    height = y + 16
    title = f"CPU seconds of {events_of(size):,} events, as a multiple of a program that does nothing else"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 110} {height}" role="img">',
        f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="22">{escape(title)}</text>', *_grid(height), *body, "</svg>", ""])


def _bars(results, workload):
    roofline = results.get(f"{workload}:roofline")
    if not roofline:
        return []
    found = [(engine, results[f"{workload}:{engine}"]) for engine in ENGINES if f"{workload}:{engine}" in results]
    return sorted(((engine, sample, sample["cpu"] / roofline["cpu"]) for engine, sample in found), key=lambda bar: bar[2])


def _grid(height):
    lines = []
    for multiple in range(0, MOST + 1, 2):
        x = LEFT + WIDTH * multiple / MOST
        lines += [f'<line class="grid" x1="{x}" x2="{x}" y1="46" y2="{height - 32}"/>',
                  f'<text class="note" x="{x}" y="40" text-anchor="middle">{multiple}×</text>']
    x = LEFT + WIDTH / MOST
    return [*lines, f'<line class="base" x1="{x}" x2="{x}" y1="46" y2="{height - 32}"/>']


def _bar(engine, sample, ratio, y):
    width = WIDTH * min(ratio, MOST) / MOST
    kind = engine if engine in ("outflow", "roofline") else ""
    middle = y + BAR - 3
    return [f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(ENGINES[engine].title)}</text>',
            f'<rect class="bar {kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'<text class="note" x="{LEFT + width + 6:.1f}" y="{middle}">{ratio:.1f}× · {sample["cpu"]:.2f} s</text>']
