"""The cost of packets as bars, in SVG that any browser shows."""

import html

import scenarios
import tables

COLOURS = {"yuelao": "#b3202a", "yuelao-epoll": "#d9777e", "coturn": "#4a6fa5",
           "forwarder": "#9a9a9a", "forwarder-segment": "#b5b5b5", "forwarder-merge": "#cfcfcf",
           "forwarder-ring": "#e2e2e2"}
LEFT, WIDTH, BAR, GAP = 280, 520, 14, 16


def bars(reports, wanted):
    """(scenario, [(server, lowest, median, highest)]), in microseconds a packet."""
    for scenario in tables.named(wanted, scenarios.PACKETS):
        found = []
        for name in scenarios.ALL:
            costs = [cost / 1e3 for cost in tables.values(
                reports, name, scenario, "load", "server_cpu_ns_per_packet")]
            if costs:
                middle = tables.median(reports, name, scenario, "load", "server_cpu_ns_per_packet")
                found.append((name, min(costs), middle / 1e3, max(costs)))
        yield scenario, found


def draw(reports, wanted):
    groups = list(bars(reports, wanted))
    longest = max((bar[3] for _, found in groups for bar in found), default=1)
    y, parts = 40, []

    def text(x, at, words, anchor="start", size=12):
        parts.append(f'<text x="{x}" y="{at}" text-anchor="{anchor}" font-size="{size}">'
                     f"{html.escape(words)}</text>")

    text(LEFT, 20, "server CPU per relayed packet, µs: median, and lowest to highest", size=13)
    for scenario, found in groups:
        text(LEFT - 110, y + BAR * len(found) / 2 + 4, scenario, "end")
        for name, lowest, middle, highest in found:
            def scaled(value):
                return LEFT + WIDTH * value / longest
            text(LEFT - 6, y + BAR - 3, name, "end", 10)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{scaled(middle) - LEFT:.1f}" '
                         f'height="{BAR - 2}" fill="{COLOURS[name]}"/>')
            parts.append(f'<line x1="{scaled(lowest):.1f}" x2="{scaled(highest):.1f}" '
                         f'y1="{y + BAR / 2 - 1}" y2="{y + BAR / 2 - 1}" stroke="currentColor"/>')
            text(round(scaled(highest) + 6), y + BAR - 3, f"{middle:.2f}", size=10)
            y += BAR
        y += GAP
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {y}" '
            f'font-family="sans-serif" fill="currentColor">\n{body}\n</svg>\n')
