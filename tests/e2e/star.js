// Clients that have no route to each other, and the server in the middle, which does not
// forward: only a relay joins them.
import assert from 'node:assert/strict';

export const address = '10.77.0.1';
export const address6 = 'fd77::1';

// `hosts`: see Network.add(). The result is {center, clients}.
export function build_star(network, hosts) {
  const center = network.add('server', hosts);
  network.address(center, 'lo', `${address}/32`, `${address6}/128`);
  const clients = [1, 2].map((i) => {
    const space = network.add(`client${i}`, hosts);
    network.link(
        {space, device: 'uplink', addresses: [`10.77.${i}.2/24`, `fd77:${i}::2/64`]},
        {space: center, device: `client${i}`, addresses: [`10.77.${i}.1/24`, `fd77:${i}::1/64`]});
    // Firefox gathers nothing without a default route.
    network.route(space, 'default', 'via', `10.77.${i}.1`);
    network.route(space, 'default', 'via', `fd77:${i}::1`);
    network.route(space, 'unreachable', `10.77.${3 - i}.0/24`);
    network.route(space, 'unreachable', `fd77:${3 - i}::/64`);
    return space;
  });
  assert.ok(network.routes_to(clients[0], address));
  assert.ok(!network.routes_to(clients[0], '10.77.2.2'));
  assert.ok(!network.routes_to(clients[1], '10.77.1.2'));
  return {center, clients};
}
