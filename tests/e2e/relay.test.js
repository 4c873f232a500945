// Clients that have no route to each other: only the relay joins them.
import assert from 'node:assert/strict';
import {after, afterEach, before, describe, it} from 'node:test';

import {Browser} from './browser.js';
import {call, hang_up} from './call.js';
import {issue} from './certificate.js';
import {Network} from './network.js';
import {start_server} from './server.js';
import {address, address6, build_star} from './star.js';

const name = 'turn.test';

const ways = [
  {what: 'turn: over UDP', url: `turn:${address}:3478?transport=udp`, protocol: 'udp'},
  {what: 'turn: over TCP', url: `turn:${address}:3478?transport=tcp`, protocol: 'tcp'},
  {what: 'turns: on the port of turn:', url: `turns:${name}:3478?transport=tcp`, protocol: 'tls'},
  {what: 'turns: on a port of its own', url: `turns:${name}:5349?transport=tcp`, protocol: 'tls'},
  {what: 'turn: over UDP and IPv6', url: `turn:[${address6}]:3478?transport=udp`, protocol: 'udp'},
];

const relay_only = (url) => ({credentials}) =>
  ({iceServers: [{urls: url, ...credentials}], iceTransportPolicy: 'relay'});

// The distinct codes; each local address may see an error of its own.
const codes = (errors) => [...new Set(errors.map(({errorCode}) => errorCode))];

describe('two browsers without a route between them', {timeout: 150_000}, () => {
  const network = new Network();
  const caller = {};
  const callee = {};
  const firefox = {};
  let server;

  before(async () => {
    const {center, clients} = build_star(network, {[name]: address, 'other.test': address});
    const files = issue(network.directory, name);
    server = await start_server({
      space: center, addresses: [address, address6], directory: network.directory, files,
    });
    const launch = (browser, space) =>
      Browser.launch(browser, space, network.directory, files.authority);
    [caller.browser, callee.browser, firefox.browser] = await Promise.all([
      launch('chromium', clients[0]), launch('chromium', clients[1]), launch('firefox', clients[1]),
    ]);
    caller.credentials = server.alice;
    callee.credentials = firefox.credentials = server.guest;
  });

  afterEach(async () => {
    await hang_up(caller, callee, firefox);
    await server.expect_no_allocation();
  });

  after(async () => {
    await Promise.all([caller, callee, firefox].map(({browser}) => browser?.quit()));
    await server?.stop();
    network.remove();
  });

  for (const {what, url, protocol} of ways) {
    for (const [who, answering] of [['Chromium', callee], ['Firefox', firefox]]) {
      it(`Chromium calls ${who} through ${what}`, async () => {
        for (const {local} of await call(caller, answering, relay_only(url))) {
          assert.equal(local.candidateType, 'relay');
          assert.equal(local.relayProtocol, protocol);
        }
      });
    }
  }

  it('a wrong password gathers nothing but a 401', async () => {
    const configuration = relay_only(ways[0].url)(
        {credentials: {...server.alice, credential: 'wrong'}});
    const {candidates, errors} = await caller.browser.do('candidates', configuration);
    assert.deepEqual(candidates, []);
    assert.deepEqual(codes(errors), [401]);
  });

  it('a certificate for another name gathers nothing', async () => {
    const configuration = relay_only('turns:other.test:5349?transport=tcp')(caller);
    const {candidates, errors} = await caller.browser.do('candidates', configuration);
    assert.deepEqual(candidates, []);
    assert.deepEqual(codes(errors), [701]);
  });
});
