"""Addresses that no relay should reach: IANA's registries, and how else they can be written."""

import ipaddress
import pathlib

REGISTRIES = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "special_purpose.txt"
_BLOCKS = [line for line in REGISTRIES.read_text(encoding="ascii").split("\n")
           if line and not line.startswith("#")]
IPV4 = [each for each in _BLOCKS if ":" not in each]
IPV6 = [each for each in _BLOCKS if ":" in each]
# Single addresses that attackers ask for by name.
WANTED = ["127.0.0.1", "169.254.169.254", "100.100.100.200", "10.77.0.9", "255.255.255.255"]


def _ends(block):
    network = ipaddress.ip_network(block)
    return [network[0], network[-1]]


def _embedding(prefix, shift):
    base = int(ipaddress.ip_address(prefix))
    return lambda address: ipaddress.IPv6Address(base + (int(address) << shift))


# How an IPv4 address can be written as an IPv6 one.
SPELLINGS = {
    "IPv4-mapped": _embedding("::ffff:0:0", 0),
    "IPv4-compatible": _embedding("::", 0),
    "IPv4-translated": _embedding("::ffff:0:0:0", 0),
    "NAT64": _embedding("64:ff9b::", 0),
    "local NAT64": _embedding("64:ff9b:1::", 0),
    "6to4": _embedding("2002::1", 80),
    "Teredo": lambda address: ipaddress.IPv6Address(
        int(ipaddress.ip_address("2001::")) + (~int(address) & 0xFFFFFFFF)),
    "ISATAP": _embedding("fe80::5efe:0:0", 0),
    "ISATAP behind a public prefix": _embedding("2a77::200:5efe:0:0", 0),
}


def forbidden():
    """(address, family of the relay that is asked for it), each once."""
    four = [end for block in IPV4 for end in _ends(block)]
    four += [ipaddress.ip_address(each) for each in WANTED]
    six = [end for block in IPV6 for end in _ends(block)]
    six += [spelled(each) for each in four for spelled in SPELLINGS.values()]
    mapped = [(SPELLINGS["IPv4-mapped"](each), 4) for each in four]
    every = [(each, 4) for each in four] + [(each, 6) for each in six] + mapped
    return list(dict.fromkeys((str(address), family) for address, family in every))


def beside(blocks):
    """The addresses right before and behind the blocks that are in none of them."""
    networks = [ipaddress.ip_network(block) for block in blocks]
    kind = type(networks[0][0])
    numbers = {int(network[0]) - 1 for network in networks} | {
        int(network[-1]) + 1 for network in networks}
    neighbours = (kind(number) for number in sorted(numbers) if 0 < number < 2 ** networks[0].max_prefixlen)
    return [str(each) for each in neighbours if not any(each in network for network in networks)]
