// BigBlueButton's participants, sent through TURN always (its client does so to Firefox), to
// an SFU on the server's own address, the only peer that its coturn.conf leaves.
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, afterEach, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';

import {Browser} from '../e2e/browser.js';
import {call, hang_up} from '../e2e/call.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {address, build_pair} from '../e2e/pair.js';
import {start_program} from '../e2e/program.js';
import {start_server} from '../e2e/server.js';

const name = 'turn.test';

const ways = [
  {what: 'turn: over UDP', url: `turn:${name}:3478`, protocol: 'udp'},
  {what: 'HAProxy on 443', url: `turns:${name}:443?transport=tcp`, protocol: 'tls'},
];

function start_haproxy({space, directory, files}) {
  const bundle = join(directory, 'bundle.pem');
  writeFileSync(bundle, [files.certificate, files.key].map((file) => readFileSync(file)).join(''));
  return start_program({
    space, ready: /Loading success/,
    argv: ['haproxy', '-W', '-f', fileURLToPath(new URL('haproxy.cfg', import.meta.url))],
    environment: {ADDRESS: address, CERTIFICATE: bundle},
  });
}

describe('BigBlueButton with its SFU beside the server', {timeout: 180_000}, () => {
  const network = new Network();
  const clients = {};
  // A browser that knows no server and gathers host candidates alone stands for it.
  const sfu = {};
  let haproxy;
  let server;

  before(async () => {
    const {center: space, space: client} = build_pair(network, {[name]: address});
    const {directory} = network;
    const files = issue(directory, name);
    server = await start_server({
      space, directory, files, addresses: [address], allow: [address], mode: 'media-server',
    });
    haproxy = await start_haproxy({space, directory, files});
    const launch = async (where, browser) => ({
      browser: await Browser.launch(browser, where, directory, files.authority),
    });
    const [chromium, firefox, at_server] = await Promise.all(
        [launch(client, 'chromium'), launch(client, 'firefox'), launch(space, 'chromium')]);
    Object.assign(clients, {Chromium: chromium, Firefox: firefox});
    Object.assign(sfu, at_server);
  });

  afterEach(async () => {
    await hang_up(...Object.values(clients), sfu);
    await server.expect_no_allocation();
  });

  after(async () => {
    await Promise.all([...Object.values(clients), sfu].map(({browser}) => browser?.quit()));
    await haproxy?.stop();
    await server?.stop();
    network.remove();
  });

  const relayed = (url) => ({iceServers: [{urls: url, ...server.guest}], iceTransportPolicy: 'relay'});

  for (const {what, url, protocol} of ways) {
    for (const who of ['Chromium', 'Firefox']) {
      it(`${who} reaches it by ${what}`, async () => {
        const [{local, remote}] = await call(
            clients[who], sfu, (end) => (end === sfu ? {} : relayed(url)));
        assert.equal(local.candidateType, 'relay');
        assert.equal(local.relayProtocol, protocol);
        assert.equal(remote.address, address);
      });
    }
  }

  it('a participant reaches nobody else', async () => {
    const {Chromium: outsider, Firefox: caller} = clients;
    await assert.rejects(
        call(caller, outsider, (end) => (end === outsider ? {} : relayed(ways[0].url))),
        /connection failed|not within .*connected/);
  });
});
