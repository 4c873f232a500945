"""Two aioice agents, one candidate each: their relays. Echoes datagrams between them.

usage: aioice_call.py HOST PORT udp|tcp|tls USER CA   (the password comes on stdin)
"""

import asyncio
import ssl
import sys

import aioice

COUNT = 50


async def main(host, port, transport, user, authority):
    password = sys.stdin.readline().strip()
    tls = ssl.create_default_context(cafile=authority) if transport == "tls" else False
    agents = [aioice.Connection(
        ice_controlling=controlling, turn_server=(host, int(port)), turn_username=user,
        turn_password=password, turn_ssl=tls,
        turn_transport="udp" if transport == "udp" else "tcp") for controlling in (True, False)]
    for agent, other in (agents, agents[::-1]):
        await agent.gather_candidates()
        relays = [c for c in agent.local_candidates if c.type == "relay"]
        assert relays, "no relay candidate"
        for candidate in relays:
            await other.add_remote_candidate(candidate)
        await other.add_remote_candidate(None)
        other.remote_username, other.remote_password = agent.local_username, agent.local_password
    # Relay only: the host pair would work too, they share a machine.
    for agent in agents:
        for component in agent._components:
            agent._protocols = [p for p in agent._protocols if p.local_candidate.type == "relay"]
            agent._nominated.pop(component, None)
    await asyncio.gather(*(agent.connect() for agent in agents))
    for number in range(COUNT):
        for agent, other in (agents, agents[::-1]):
            await agent.send(b"%d" % number)
            assert await asyncio.wait_for(other.recv(), 10) == b"%d" % number
    for agent in agents:
        pair = agent._nominated[1]
        assert pair.local_candidate.type == pair.remote_candidate.type == "relay", pair
        await agent.close()
    print(f"{2 * COUNT} of {2 * COUNT}")


asyncio.run(main(*sys.argv[1:]))
