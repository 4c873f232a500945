// Janus with the janus.jcfg that `yuelao integrate janus` prints, and a browser that may use
// nothing but a relay.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';

import {Browser} from '../e2e/browser.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {address, build_pair} from '../e2e/pair.js';
import {start_server} from '../e2e/server.js';
import {ask, Janus} from './janus.js';


const word = (jcfg, name) => jcfg.match(new RegExp(`${name} = "(.*)"`))[1];
// Asked with Janus's own key.
async function asked_for(space, jcfg) {
  const url = word(jcfg, 'turn_rest_api').replace(/credentials$/, 'ice-servers');
  return JSON.parse(await ask(space, `${url}?key=${word(jcfg, 'turn_rest_api_key')}`));
}
const configured = (space, jcfg, {guest}) =>
  ({iceServers: [{urls: `turn:${address}:3478?transport=udp`, ...guest}]});

// `change`: what a test does to what was printed.
const unchanged = (jcfg) => jcfg;
const ways = {
  'asks yuelao': {argv: ['--credentials'], change: unchanged, browsers: asked_for},
  'has a user and a password': {argv: [], change: unchanged, browsers: configured},
  'asks by POST, and may be forced to relay': {
    argv: ['--credentials'], browsers: asked_for,
    change: (jcfg) => jcfg.replace('"GET"', '"POST"').replace(/}\n$/, '\tallow_force_relay = true\n}\n'),
  },
};

const candidates = ({sdp}) => [...sdp.matchAll(/^a=candidate:.* typ (\w+)/gm)].map(([, type]) => type);

for (const [what, {argv, change, browsers}] of Object.entries(ways)) {
  describe(`Janus that ${what}`, {timeout: 180_000}, () => {
    const network = new Network();
    let center;
    let server;
    let jcfg;
    let janus;
    let browser;

    before(async () => {
      const {center: where, space} = build_pair(network, {'turn.test': address});
      center = where;
      const files = issue(network.directory, 'turn.test');
      server = await start_server({
        space: center, addresses: [address], directory: network.directory, files,
        // An SFU on this very machine.
        allow: [address], drain: '0s', integrate: ['janus', '--host', address, ...argv],
      });
      jcfg = change(server.told('/etc/janus/janus.jcfg'));
      janus = new Janus(center, network.directory, jcfg);
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
      const given = await browsers(center, jcfg, server);
      const offer = await browser.do('offer', {...given, iceTransportPolicy: 'relay'});
      assert.deepEqual([...new Set(candidates(offer))], ['relay']);
      const answer = await janus.echo(offer, how);
      await browser.do('accept', answer);
      await browser.do('connected');
      assert.ok(await browser.do('frames', 10) > 10);
      await browser.do('close');
      return candidates(answer);
    }

    it('is reached by a relayed browser on the machine that yuelao is on', async () => {
      const types = await call({});
      assert.ok(types.includes('host') && types.includes('relay'), types.join());
      const key = jcfg.match(/key = "(.*)"/)?.[1] ?? server.alice.credential;
      assert.ok(!server.log.includes('marker-opaque-id') && !server.log.includes(key), server.log);
    });

    if (change !== unchanged) {
      it('sends a picture back out of a relay of its own', async () => {
        const types = await call({force_relay: true});
        assert.ok(types.length > 0 && types.every((type) => type === 'relay'), types.join());
      });
    }
  });
}
