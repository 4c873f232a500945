// MiroTalk P2P, C2C and BRO, and Briefing: every guest has the same name and password, and
// gets one `stun:` and one `turn:` URL, each as a string.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';

import {Browser} from '../e2e/browser.js';
import {issue} from '../e2e/certificate.js';
import {address, build_homes, outside_of} from '../e2e/homes.js';
import {Network} from '../e2e/network.js';
import {start_server} from '../e2e/server.js';

const guests = 20;

const shapes = {
  // Briefing's STUN URL names the host of its own page.
  Briefing: (user) => [{urls: `stun:${address}:3478`}, {urls: `turn:${address}:3478`, ...user}],
  MiroTalk: (user) => [
    {urls: `stun:${address}:3478`}, {urls: `turn:${address}:3478?transport=udp`, ...user},
  ],
};

const types = (candidates) => new Set(candidates.map((line) => line.match(/ typ (\w+)/)[1]));

describe('a static user that everybody shares, behind a NAT', {timeout: 240_000}, () => {
  const network = new Network();
  const browsers = {};
  let server;

  before(async () => {
    const {center, homes: [{router, space}]} = build_homes(network, 1);
    network.masquerade(router, {inside: 'inside', outside: 'outside'});
    server = await start_server({
      space: center, addresses: [address], directory: network.directory,
      files: issue(network.directory, 'turn.test'), allow: ['203.0.113.0/24'],
    });
    const names = ['chromium', 'firefox'];
    const launched = await Promise.all(
        names.map((name) => Browser.launch(name, space, network.directory)));
    names.forEach((name, index) => { browsers[name] = launched[index]; });
  });

  after(async () => {
    await Promise.all(Object.values(browsers).map((browser) => browser.quit()));
    await server?.stop();
    network.remove();
  });

  for (const [system, servers] of Object.entries(shapes)) {
    for (const name of ['chromium', 'firefox']) {
      it(`${system} finds STUN and TURN at work in ${name}`, async () => {
        const {candidates} = await browsers[name].do(
            'candidates', {iceServers: servers(server.alice)});
        await browsers[name].do('close');
        assert.ok(types(candidates).has('srflx'), candidates.join('\n'));
        assert.ok(types(candidates).has('relay'), candidates.join('\n'));
        assert.ok(candidates.some((line) => line.includes(`${outside_of(1)} `)));
      });
    }
  }

  it('a wrong password leaves STUN at work and says 401', async () => {
    const {candidates, errors} = await browsers.chromium.do('candidates', {
      iceServers: shapes.MiroTalk({...server.alice, credential: 'wrong'}),
    });
    await browsers.chromium.do('close');
    assert.ok(types(candidates).has('srflx'));
    assert.ok(!types(candidates).has('relay'));
    const refusal = errors.find(({errorCode}) => errorCode === 401);
    assert.match(refusal?.errorText ?? '', /Unauth/i);
  });

  it(`${guests} guests of one address call one another at the same time`, async () => {
    const used = await browsers.chromium.do('pairs', {
      iceServers: shapes.MiroTalk(server.alice), iceTransportPolicy: 'relay',
    }, guests);
    assert.deepEqual(used, Array(guests).fill('relay'));
    await server.expect_no_allocation();
  });
});
