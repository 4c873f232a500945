// Clients behind routers that translate their addresses, on a segment that stands for the
// Internet and has the server on it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, afterEach, before, describe, it} from 'node:test';
import {pathToFileURL} from 'node:url';

import {Browser} from './browser.js';
import {call, hang_up} from './call.js';
import {issue} from './certificate.js';
import {address, build_homes, second_address} from './homes.js';
import {Network} from './network.js';
import {program, start_server} from './server.js';

describe('two browsers behind NATs', {timeout: 150_000}, () => {
  const network = new Network();
  const caller = {};
  const callee = {};
  let routers;
  let server;
  let check;

  before(async () => {
    const {center, homes} = build_homes(network, 2);
    check = join(network.directory, 'check.html');
    writeFileSync(check, execFileSync(program, ['web-page']));
    routers = homes.map(({router}) => router);
    server = await start_server({
      space: center, addresses: [address, second_address], directory: network.directory,
      files: issue(network.directory, 'turn.test'),
      // The default policy relays to neither. There is no route to the homes: browsers ask
      // for a permission there all the same, and what the kernel then refuses must not
      // harm the allocation.
      allow: ['203.0.113.0/24', '192.168.0.0/16'],
    });
    [caller.browser, callee.browser] = await Promise.all(
        homes.map(({space}) => Browser.launch('chromium', space, network.directory)));
    caller.credentials = server.alice;
    callee.credentials = server.guest;
  });

  afterEach(async () => {
    await hang_up(caller, callee);
    await server.expect_no_allocation();
  });

  after(async () => {
    await Promise.all([caller, callee].map(({browser}) => browser?.quit()));
    await server?.stop();
    network.remove();
  });

  const translate = (how) => {
    for (const router of routers) {
      network.masquerade(router, {inside: 'inside', outside: 'outside', how});
    }
  };
  const stun = () => ({iceServers: [{urls: `stun:${address}:3478`}]});
  const stun_and_turn = ({credentials}) =>
    ({iceServers: [...stun().iceServers, {urls: `turn:${address}:3478`, ...credentials}]});
  const types = ({local, remote}) => [local.candidateType, remote.candidateType];

  // What the connection check says of the caller's network.
  async function network_shown() {
    const {browser} = caller;
    await browser.do('open', pathToFileURL(check).href);
    await browser.do('fill', '#servers', `stun:${address} stun:${second_address}`);
    await browser.do('click', '#start');
    const {network: told} = await browser.do('ended', 20_000);
    await browser.do('open', new URL('page.html', import.meta.url).href);
    return told;
  }

  describe('whose mappings are the same for every destination', () => {
    before(() => translate(''));

    it('are told so by the connection check', async () => {
      const told = await network_shown();
      assert.match(told, /Seen from outside as 203\.0\.113\.11\./);
      assert.match(told, /one address for all destinations/);
    });

    const servers = [['STUN alone', stun], ['a relay at hand', stun_and_turn]];
    for (const [what, configuration] of servers) {
      it(`talk directly with ${what}`, async () => {
        for (const pair of await call(caller, callee, configuration)) {
          for (const type of types(pair)) assert.match(type, /^(srflx|prflx)$/);
        }
      });
    }
  });

  describe('whose mappings differ by destination', () => {
    before(() => translate('fully-random'));

    it('are told so by the connection check', async () => {
      assert.match(await network_shown(), /another port \(symmetric\)/);
    });

    it('do not reach each other with STUN alone', async () => {
      await assert.rejects(call(caller, callee, stun), /connection failed/);
    });

    it('fall back to the relay', async () => {
      const pairs = await call(caller, callee, stun_and_turn);
      // One relay suffices: the other end may reach it from its own translated address.
      for (const pair of pairs.map(types)) assert.ok(pair.includes('relay'), `selected: ${pair}`);
      const used = new Set(pairs.map(({local}) => local.relayProtocol).filter(Boolean));
      assert.deepEqual([...used], ['udp']);
    });
  });
});
