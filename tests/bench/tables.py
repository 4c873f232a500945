"""The reports of many runs as tables: medians, and what yuelao's are of the others'."""

import statistics

import scenarios
import servers

BEST = "best forwarder"
FORWARDERS = [name for name in scenarios.ALL if name.startswith("forwarder")]


def values(reports, server, scenario, *path):
    found = []
    for report in reports:
        if report["server"] == server and report["scenario"] == scenario:
            value = report
            for key in path:
                value = value[key]
            found.append(value)
    return found


def median(reports, server, scenario, *path):
    found = values(reports, server, scenario, *path)
    return statistics.median(found) if found else None


def shown(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def ratio(dividend, divisor):
    return "" if not dividend or not divisor else f"{dividend / divisor:.2f}"


def print_table(title, columns, rows):
    print(f"\n| {title} | " + " | ".join(columns) + " |")
    print("|---|" + "--:|" * len(columns))
    for label, cells in rows:
        print(f"| {label} | " + " | ".join(cells) + " |")


def named(wanted, table):
    return [scenario["name"] for scenario in wanted if scenario["table"] == table]


def print_packets(reports, wanted):
    rows = []
    for scenario in named(wanted, scenarios.PACKETS):
        cost = {name: median(reports, name, scenario, "load", "server_cpu_ns_per_packet")
                for name in scenarios.ALL}
        bare = [cost[name] for name in FORWARDERS if cost[name]]
        cells = [shown(cost[name] and cost[name] / 1e3, 2) for name in scenarios.ALL]
        rows.append((scenario, cells + [ratio(cost["yuelao"], cost["coturn"]),
                                        ratio(cost["yuelao-epoll"], cost["coturn"]),
                                        ratio(cost["yuelao"], cost["forwarder-ring"]),
                                        ratio(cost["yuelao-epoll"], cost["forwarder"]),
                                        ratio(cost["yuelao"], min(bare, default=None))]))
    print_table("server CPU per relayed packet, µs",
                [*scenarios.ALL, "÷ coturn", "epoll ÷ coturn", "÷ forwarder-ring",
                 "epoll ÷ forwarder", f"÷ {BEST}"], rows)


def print_rates(reports, wanted):
    rows = []
    for scenario in named(wanted, scenarios.PACKETS):
        cells = []
        for name in scenarios.PAIR:
            cells.append(shown(median(reports, name, scenario, "load", "delivered_per_second"), 0))
            for share in ("p50", "p99", "p99.9"):
                cells.append(shown(median(reports, name, scenario, "load", "delay_us", share), 0))
            lost = values(reports, name, scenario, "load", "lost")
            sent = values(reports, name, scenario, "load", "sent")
            cells.append(f"{sum(lost):,} of {sum(sent):,}" if sent else "")
        rows.append((scenario, cells))
    columns = [f"{name}: {what}" for name in scenarios.PAIR
               for what in ("packets/s", "p50 µs", "p99 µs", "p99.9 µs", "lost")]
    print_table("on the way", columns, rows)


def print_allocations(reports, wanted):
    rows = []
    figures = (("set up a second", ("set_up", "per_second"), 0),
               ("CPU to set one up, µs", ("set_up", "server_cpu_us_per_allocation"), 1),
               ("CPU to release one, µs", ("release", "server_cpu_us_per_allocation"), 1),
               ("resident memory of an idle one, bytes",
                ("set_up", "resident_bytes_per_allocation"), 0))
    for scenario in named(wanted, scenarios.ALLOCATIONS):
        for label, path, digits in figures:
            ours, theirs = (median(reports, name, scenario, *path) for name in scenarios.PAIR)
            rows.append((f"{scenario}: {label}",
                         [shown(ours, digits), shown(theirs, digits), ratio(ours, theirs)]))
    print_table("allocations", [*scenarios.PAIR, "÷ coturn"], rows)


def print_beside(reports, wanted):
    """What yuelao costs of what the other yuelao does; nothing where there is none."""
    figures = {
        scenarios.PACKETS: {"a packet": ("load", "server_cpu_ns_per_packet")},
        scenarios.ALLOCATIONS: {
            "to set one up": ("set_up", "server_cpu_us_per_allocation"),
            "to release one": ("release", "server_cpu_us_per_allocation")}}
    rows = []
    for scenario in wanted:
        for label, path in figures[scenario["table"]].items():
            ours, theirs = (median(reports, name, scenario["name"], *path)
                            for name in ("yuelao", servers.BESIDE))
            if not ours or not theirs:
                continue
            thousandth = scenario["table"] == scenarios.PACKETS
            rows.append((f"{scenario['name']}: {label}",
                         [shown(value / (1e3 if thousandth else 1), 2) for value in (ours, theirs)]
                         + [ratio(ours, theirs)]))
    if rows:
        print_table("server CPU, µs", ["yuelao", servers.BESIDE, "÷ beside"], rows)


def print_all(reports, wanted):
    print("\nMedians. A cost's ratio below 1 is in yuelao's favour.")
    if named(wanted, scenarios.PACKETS):
        print_packets(reports, wanted)
        print_rates(reports, wanted)
    if named(wanted, scenarios.ALLOCATIONS):
        print_allocations(reports, wanted)
    print_beside(reports, wanted)


def print_syscalls(reports, wanted):
    rows = []
    for scenario in named(wanted, scenarios.PACKETS):
        for name in scenarios.ALL:
            for report in reports:
                if (report["server"], report["scenario"]) != (name, scenario):
                    continue
                delivered = report["load"]["delivered"] or 1
                most = sorted(report["syscalls"].items(), key=lambda call: -call[1])[:6]
                total = sum(report["syscalls"].values())
                rows.append((f"{scenario}, {name}", [f"{total / delivered:.2f}", ", ".join(
                    f"{call} {count / delivered:.2f}" for call, count in most)]))
    print_table("system calls a packet", ["all", "which"], rows)
