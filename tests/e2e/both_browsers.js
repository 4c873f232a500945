// Chromium and Firefox, each in a namespace of its own, and the server between them.
import {Browser} from './browser.js';

export const address = '10.77.0.1';
export const names = ['chromium', 'firefox'];

// `hosts`: see Network.add(). `more`: addresses of the server besides. The result is
// {center, spaces}, a space for each of `names`.
export function build_sides(network, hosts, ...more) {
  const center = network.add('server', hosts);
  network.address(center, 'lo', ...[address, ...more].map((one) => `${one}/32`));
  const spaces = names.map((name, index) => {
    const side = index + 1;
    const space = network.add(`client${side}`, hosts);
    network.link({space, device: 'uplink', addresses: [`10.77.${side}.2/24`]},
                 {space: center, device: `client${side}`, addresses: [`10.77.${side}.1/24`]});
    network.route(space, 'default', 'via', `10.77.${side}.1`);
    return space;
  });
  return {center, spaces};
}

export class BothBrowsers {
  #clients = [];

  // `authority`: see Browser.launch().
  static async launch(spaces, directory, authority) {
    const both = new BothBrowsers();
    both.#clients = await Promise.all(names.map(async (what, index) => ({
      what, address: `10.77.${index + 1}.2`,
      browser: await Browser.launch(what, spaces[index], directory, authority),
    })));
    return both;
  }

  // `act(browser, {what, address})` in both at the same time; an error says which one it was.
  do(act) {
    return Promise.all(this.#clients.map(async ({browser, ...client}) => {
      try {
        return await act(browser, client);
      } catch (error) {
        error.message = `${client.what}: ${error.message}`;
        throw error;
      }
    }));
  }

  quit() {
    return Promise.all(this.#clients.map(({browser}) => browser.quit()));
  }
}
