// A client and the server, on one cable.

export const address = '10.77.0.1';
export const guest = '10.77.0.2';

// `hosts`: see Network.add(). The result is {center, space}: the server's end, the client's.
export function build_pair(network, hosts) {
  const center = network.add('server', hosts);
  const space = network.add('client', hosts);
  network.link({space, device: 'uplink', addresses: [`${guest}/24`]},
               {space: center, device: 'uplink', addresses: [`${address}/24`]});
  // Firefox gathers nothing without one.
  network.route(space, 'default', 'via', address);
  return {center, space};
}
