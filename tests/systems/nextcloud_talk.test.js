// The button on Nextcloud Talk's admin page: relay only, no streams but a line for audio,
// and a relay candidate within ten seconds. Talk offers four URLs, all on one host and port.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';

import {Browser} from '../e2e/browser.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {address, build_pair} from '../e2e/pair.js';
import {secret, start_server} from '../e2e/server.js';

const script = fileURLToPath(new URL('nextcloud_talk.php', import.meta.url));
const host = 'turn.test:3478';
const patience_ms = 10_000;

const urls = ['turn', 'turns'].flatMap(
    (scheme) => ['udp', 'tcp'].map((transport) => `${scheme}:${host}?transport=${transport}`));

function ice_server(chosen, expires_in_s = 300) {
  const username = `${Math.floor(Date.now() / 1000) + expires_in_s}:turn-test-user`;
  const credential =
      execFileSync('php', [script, 'credential', username], {input: secret}).toString().trim();
  return {urls: chosen, username, credential};
}

describe("Nextcloud Talk's test button", {timeout: 120_000}, () => {
  const network = new Network();
  let server;
  let browser;

  before(async () => {
    const {center, space} = build_pair(network, {'turn.test': address});
    const files = issue(network.directory, 'turn.test');
    server = await start_server({
      space: center, addresses: [address], directory: network.directory, files,
      // The button closes at the first candidate: an allocation that was still on its way
      // to the browser then stays until it runs out.
      drain: '0s',
    });
    browser = await Browser.launch('chromium', space, network.directory, files.authority);
  });

  after(async () => {
    await browser?.quit();
    await server?.stop();
    network.remove();
  });

  const first_relay = (server_of_talk) => browser.do('first_relay', {
    iceServers: [server_of_talk], iceTransportPolicy: 'relay',
  }, patience_ms);

  for (const url of urls) {
    it(`sees a relay candidate by ${url}`, async () => {
      const log = server.log;
      const {candidate, took_ms} = await first_relay(ice_server([url]));
      assert.match(candidate, / typ relay /);
      assert.ok(took_ms < patience_ms, `${took_ms} ms`);
      assert.equal(server.log, log, 'a line for the probe');
    });
  }

  it('sees one with all four URLs', async () => {
    assert.match((await first_relay(ice_server(urls))).candidate, / typ relay /);
  });

  it('sees none with a password that has run out', async () => {
    assert.equal((await first_relay(ice_server([urls[0]], -1))).candidate, undefined);
  });
});
