"""A client behind a router that does NAT of a kind, and a server with two addresses.

    home (HOME) -- router (CLIENT and PEER outside) -- server (SERVER and OTHER)
"""

import subprocess

from network import CLIENT, PEER, SERVER, Namespace

OTHER = {4: "10.77.0.4", 6: "fd77::4"}
HOME = {4: "192.168.7.2", 6: "fd07::2"}
INSIDE = {4: "192.168.7.1", 6: "fd07::1"}
IP = {4: "ip", 6: "ip6"}

# What stands in the chains of one family. By itself Linux keeps a socket's port where it can,
# and lets in what belongs to a connection.
LEAVING, ENTERING, FORWARDING = "leaving", "entering", "forwarding"
KEEP_PORT = (LEAVING, "oifname wan snat {ip} to {outside}")
# All that comes to a port of the kind that is shown outside goes home.
LET_IN = (ENTERING, "iifname wan udp dport >= 1024 dnat {ip} to {home}")

# kind: the rules, and what RFC 4787 calls mapping and filtering; None: nothing is translated
INDEPENDENT, BY_ADDRESS, BY_BOTH = (
    "endpoint-independent", "address-dependent", "address and port-dependent")
KINDS = {
    "no NAT": ([], None, INDEPENDENT),
    "a firewall": ([
        (FORWARDING, "iifname wan ct state new meta l4proto udp drop")], None, BY_BOTH),
    "masquerade": ([KEEP_PORT], INDEPENDENT, BY_BOTH),
    "full cone": ([KEEP_PORT, LET_IN], INDEPENDENT, INDEPENDENT),
    "restricted cone": ([
        KEEP_PORT, LET_IN,
        (FORWARDING, "oifname wan add @known_{ip} {{ {ip} daddr . udp sport }}"),
        (FORWARDING, "iifname wan {ip} saddr . udp dport != @known_{ip} drop")],
        INDEPENDENT, BY_ADDRESS),
    "an address for each": ([
        (LEAVING, "oifname wan {ip} daddr {other} snat {ip} to {second}"), KEEP_PORT],
        BY_ADDRESS, BY_BOTH),
    "symmetric": ([
        (LEAVING, "oifname wan meta l4proto udp masquerade fully-random")], BY_BOTH, BY_BOTH),
}


class Street:
    def __init__(self):
        self.server, self.router, self.home = map(Namespace, ("street", "router", "home"))
        self._link("wan", self.server, "uplink")
        self._link("lan", self.home, "uplink")
        self.server.address("uplink", *SERVER.values(), *OTHER.values())
        self.router.address("wan", *CLIENT.values(), *PEER.values())
        self.router.address("lan", *INSIDE.values())
        self.home.address("uplink", *HOME.values())
        self.server.default_route("uplink", *CLIENT.values())
        self.home.default_route("uplink", *INSIDE.values())
        done = self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1",
                               "net.ipv6.conf.all.forwarding=1")
        assert done.returncode == 0, done.stdout

    def _link(self, router_end, other, other_end):
        subprocess.run(["ip", "link", "add", router_end, "netns", self.router.name, "type", "veth",
                        "peer", "name", other_end, "netns", other.name], check=True)

    def become(self, kind):
        """From now on the router is of that kind, and remembers nothing."""
        chains = {LEAVING: [], ENTERING: [], FORWARDING: []}
        for family in (4, 6):
            for chain, rule in KINDS[kind][0]:
                chains[chain].append(rule.format(
                    ip=IP[family], home=HOME[family], other=OTHER[family], second=PEER[family],
                    outside=CLIENT[family]))
        hooks = {LEAVING: "type nat hook postrouting priority 100;",
                 ENTERING: "type nat hook prerouting priority -100;",
                 FORWARDING: "type filter hook forward priority 0;"}
        body = "\n".join(f" chain {chain} {{\n  {hooks[chain]}\n  " + "\n  ".join(rules) + "\n }"
                         for chain, rules in chains.items())
        # Which addresses each socket has sent to.
        sets = " set known_ip { typeof ip daddr . udp sport; flags dynamic; size 100; }\n" \
               " set known_ip6 { typeof ip6 daddr . udp sport; flags dynamic; size 100; }\n"
        self._nft(self.router, f"table inet street {{\n{sets}{body}\n}}\n")

    def give_server(self, address, family):
        """One more, which the world knows the way to."""
        self.server.address("uplink", address)
        subprocess.run(["ip", "-n", self.router.name, "route", "add", address, "via",
                        SERVER[family]], check=True)

    def drop_at_server(self, rule):
        """`rule` says what; None: nothing any more."""
        chain = f"chain c {{\n type filter hook input priority 0;\n {rule} drop\n }}" if rule else ""
        self._nft(self.server, f"table inet street {{\n{chain}\n}}\n")

    @staticmethod
    def _nft(namespace, table):
        text = "add table inet street\ndelete table inet street\n" + table
        done = namespace.run("nft", "-f", "-", input=text)
        assert done.returncode == 0, done.stdout + text

    def remove(self):
        for namespace in (self.server, self.router, self.home):
            namespace.remove()
