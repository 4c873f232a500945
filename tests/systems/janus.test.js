// Janus asks yuelao for its TURN credentials (turn_rest_api), and a browser that may use
// nothing but a relay gets its own from there, too.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';

import {Browser} from '../e2e/browser.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {start_server} from '../e2e/server.js';
import {ask, Janus} from './janus.js';

const address = '10.77.0.1';
const key = 'e2e-api-key-0123456789';
const service = 'http://127.0.0.1:9642/turn';

const nat = (method) => `nat: {
  stun_server = "${address}"
  stun_port = 3478
  turn_rest_api = "${service}/credentials"
  turn_rest_api_key = "${key}"
  turn_rest_api_method = "${method}"
  allow_force_relay = true
}
`;

const candidates = ({sdp}) => [...sdp.matchAll(/^a=candidate:.* typ (\w+)/gm)].map(([, type]) => type);

for (const method of ['GET', 'POST']) {
  describe(`Janus with turn_rest_api by ${method}`, {timeout: 180_000}, () => {
    const network = new Network();
    let center;
    let server;
    let janus;
    let browser;

    before(async () => {
      center = network.add('server', {'turn.test': address});
      const space = network.add('client');
      network.link({space, device: 'uplink', addresses: ['10.77.0.2/24']},
                   {space: center, device: 'uplink', addresses: [`${address}/24`]});
      network.route(space, 'default', 'via', address);
      const files = issue(network.directory, 'turn.test');
      server = await start_server({
        space: center, addresses: [address], directory: network.directory, files,
        // An SFU on this very machine.
        allow: [address], drain: '0s',
        more: `credentials: {listen: 127.0.0.1:9642, keys: [{value: ${key}}]}`,
      });
      janus = new Janus(center, network.directory, nat(method));
      browser = await Browser.launch('chromium', space, network.directory);
    });

    after(async () => {
      await browser?.quit();
      await janus?.stop();
      await server?.stop();
      network.remove();
    });

    // The browser's picture, there and back, by a relay of its own.
    async function call(how) {
      const given = JSON.parse(await ask(center, `${service}/ice-servers?key=${key}`));
      const offer = await browser.do('offer', {...given, iceTransportPolicy: 'relay'});
      assert.deepEqual([...new Set(candidates(offer))], ['relay']);
      const answer = await janus.echo(offer, how);
      await browser.do('accept', answer);
      await browser.do('connected');
      assert.ok(await browser.do('frames', 10) > 10);
      await browser.do('close');
      return answer;
    }

    it('sends a picture back out of a relay of its own', async () => {
      const types = candidates(await call({force_relay: true}));
      assert.ok(types.length > 0 && types.every((type) => type === 'relay'), types.join());
      assert.ok(!server.log.includes('marker-opaque-id') && !server.log.includes(key), server.log);
    });

    it('is reached by a relayed browser on the machine that yuelao is on', async () => {
      assert.ok(candidates(await call({})).includes('host'));
    });
  });
}
