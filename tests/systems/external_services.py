"""Asks an XMPP server, as a guest, which services it offers (XEP-0215); prints them as JSON."""

import asyncio
import json
import sys
from xml.etree import ElementTree

from slixmpp import ClientXMPP

EXTDISCO = "urn:xmpp:extdisco:2"


class Guest(ClientXMPP):
    def __init__(self, domain):
        super().__init__(domain, "", sasl_mech="ANONYMOUS")
        self.services = None
        self.add_event_handler("session_start", self.ask)

    async def ask(self, _):
        request = self.make_iq_get(ito=self.boundjid.domain)
        request.append(ElementTree.Element(f"{{{EXTDISCO}}}services"))
        answer = await request.send(timeout=10)
        self.services = [dict(found.attrib) for found in answer.xml.iter(f"{{{EXTDISCO}}}service")]
        self.disconnect()


def main():
    address, domain = sys.argv[1:]
    guest = Guest(domain)
    guest.connect((address, 5222), disable_starttls=True)
    guest.loop.run_until_complete(asyncio.wait_for(guest.disconnected, 30))
    if guest.services is None:
        sys.exit("no answer")
    print(json.dumps(guest.services))


main()
