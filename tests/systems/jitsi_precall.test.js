// The test that Jitsi's participants run before they join: in one page, from relay to relay.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';

import {Browser} from '../e2e/browser.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {address, build_pair} from '../e2e/pair.js';
import {start_server} from '../e2e/server.js';

const name = 'turn.test';

const ways = {
  UDP: `turn:${name}:3478?transport=udp`,
  TCP: `turn:${name}:3478?transport=tcp`,
  TLS: `turns:${name}:5349?transport=tcp`,
};

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));

describe("Jitsi's pre-call test in Chromium", {timeout: 180_000}, () => {
  const network = new Network();
  let browser;
  let server;

  before(async () => {
    const {center, space} = build_pair(network, {[name]: address});
    const {directory} = network;
    const files = issue(directory, name);
    browser = await Browser.launch('chromium', space, directory, files.authority);
    const origin = await browser.do('serve_files', {
      pages: folder('.'), precall: folder('../e2e/node_modules/@jitsi/precall-test/src'),
    });
    server = await start_server({
      space: center, directory, files, addresses: [address], integrate: [
        'jitsi', '--host', name, '--credentials-listen', `${address}:9642`,
        '--credentials-url', `http://${address}:9642`, '--credentials-origin', origin,
      ],
    });
    await browser.do('open', `${origin}/pages/jitsi_precall.html`);
  });

  after(async () => {
    await browser?.quit();
    await server?.stop();
    network.remove();
  });

  for (const [transport, url] of Object.entries(ways)) {
    it(`finds media connectivity over ${transport}`, async () => {
      const found = await browser.do('precall', [{urls: url, ...server.guest}]);
      assert.equal(found.mediaConnectivity, true, JSON.stringify(found));
      assert.ok(found.throughput > 0 && found.rtt >= 0, JSON.stringify(found));
      await server.expect_no_allocation();
    });
  }

  it('asks yuelao for its servers with what `yuelao integrate jitsi` prints', async () => {
    const found = await browser.do('precall_as_configured', server.told('/etc/jitsi/meet/'));
    assert.equal(found.mediaConnectivity, true, JSON.stringify(found));
    assert.equal(found.shown, true);
    await server.expect_no_allocation();
  });
});
