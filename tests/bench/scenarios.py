"""What is measured. Every scenario is a set of yuelao-bench's options and the servers that
can take part."""

# yuelao as it comes receives and sends by io_uring, where the kernel allows it.
TURN = ("yuelao", "yuelao-epoll", "coturn")
# Of which all that there is to tell is told.
PAIR = ("yuelao", "coturn")
ALL = (*TURN, "forwarder", "forwarder-segment", "forwarder-merge", "forwarder-ring")

# Where a table shows a scenario.
PACKETS, ALLOCATIONS = "packets", "allocations"


def relaying(name, servers=TURN, **load):
    return {"name": name, "table": PACKETS, "servers": servers,
            "options": {"allocations": 100, "peers": 100, **load}}


def allocating(name, **load):
    return {"name": name, "table": ALLOCATIONS, "servers": PAIR,
            "options": {"allocations": 2000, "peers": 100, "handshakes": 64, **load}}


def full():
    made = []
    for size in (200, 1200):
        made.append(relaying(f"{size} B, independent", ALL, packet_bytes=size, direction="both",
                             packets=300_000))
    for direction in ("to-peer", "to-client"):
        made.append(relaying(f"1200 B, bursts of 8, {direction}", ALL, packet_bytes=1200, burst=8,
                             direction=direction, packets=400_000))
    made += [
        relaying("meeting, 200 participants", allocations=200, peers=1, pattern="meeting",
                 direction="both", packets=200_000),
        relaying("between clients, 200 B", packet_bytes=200, direction="between-clients",
                 packets=200_000),
        relaying("between clients, 1200 B, bursts of 8", packet_bytes=1200, burst=8,
                 direction="between-clients", packets=200_000),
        relaying("indications, 1200 B", packet_bytes=1200, envelope="indication",
                 direction="both", packets=200_000),
        relaying("TCP, 1200 B", packet_bytes=1200, transport="tcp", direction="both",
                 packets=200_000),
        relaying("TLS, 1200 B", packet_bytes=1200, transport="tls", direction="both",
                 packets=200_000),
        relaying("200 B at 20,000 a second", ALL, packet_bytes=200, direction="both", rate=20_000,
                 packets=100_000),
        relaying("18,000 allocations, 200 B", allocations=18_000, peers=900, handshakes=64,
                 packet_bytes=200, direction="both", packets=300_000),
        relaying("Binding", direction="binding", packets=200_000),
        allocating("UDP"),
        allocating("TLS", transport="tls", allocations=1000),
    ]
    return made


def smoke():
    few = {"allocations": 20, "peers": 20, "rate": 2000, "packets": 400, "direction": "both"}
    return [
        allocating("UDP", allocations=50, peers=10, handshakes=8),
        relaying("200 B", ALL, packet_bytes=200, **few),
        relaying("1200 B, bursts of 4", ALL, packet_bytes=1200, burst=4, **few),
        relaying("meeting", pattern="meeting", **few),
        relaying("indications", envelope="indication", **few),
        relaying("between clients", **few | {"direction": "between-clients"}),
        relaying("TCP", transport="tcp", **few),
        relaying("TLS", transport="tls", **few),
        relaying("Binding", **few | {"direction": "binding"}),
    ]
