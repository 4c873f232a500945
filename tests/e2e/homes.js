// Homes behind routers, on a segment that stands for the Internet and has the server on it.

export const address = '203.0.113.1';
export const second_address = '203.0.113.2'; // only two destinations tell what a NAT does

export const outside_of = (number) => `203.0.113.${10 + number}`;

// `count` homes; each is {router, space}, whose devices are `inside` and `outside`.
export function build_homes(network, count) {
  const center = network.add('internet');
  network.bridge(center, 'internet', `${address}/24`);
  network.address(center, 'internet', `${second_address}/24`);
  const homes = Array.from({length: count}, (_, index) => {
    const number = index + 1;
    const router = network.add(`router${number}`);
    const space = network.add(`client${number}`);
    network.link({space: router, device: 'outside', addresses: [`${outside_of(number)}/24`]},
                 {space: center, device: `home${number}`});
    network.plug(center, `home${number}`, 'internet');
    network.link({space, device: 'uplink', addresses: ['192.168.1.2/24']},
                 {space: router, device: 'inside', addresses: ['192.168.1.1/24']});
    network.route(space, 'default', 'via', '192.168.1.1');
    return {router, space};
  });
  return {center, homes};
}
