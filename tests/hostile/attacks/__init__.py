"""One attack class of security.md a module, each with its `ATTACK`."""

from attacks import (credentials, enumeration, exhaustion, floods, forbidden_peers, integrity, loops,
                     nonces, open_proxy, parsers, privacy, proxy_headers, reflection, tls)

ALL = [each.ATTACK for each in (
    forbidden_peers, open_proxy, reflection, floods, loops, integrity, nonces, exhaustion, parsers,
    enumeration, credentials, privacy, proxy_headers, tls)]
