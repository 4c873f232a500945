// Browsers on one port 443 that TURN shares with a web server: pages, fetch and WebSockets of
// one name reach nginx, `turns:` of the same name and port reaches the relay.
import assert from 'node:assert/strict';
import {after, afterEach, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';

import {Browser} from '../e2e/browser.js';
import {call, hang_up} from '../e2e/call.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {address, build_pair, guest} from '../e2e/pair.js';
import {start_program} from '../e2e/program.js';
import {start_server} from '../e2e/server.js';

const name = 'meet.test';
const url = `turns:${name}:443?transport=tcp`;
const call_page = new URL('../e2e/page.html', import.meta.url).href;

describe('a port 443 for a web server and TURN', {timeout: 150_000}, () => {
  const network = new Network();
  const ends = {};
  let web_server;
  let server;

  before(async () => {
    const {center, space: client} = build_pair(network, {[name]: address});
    const {directory} = network;
    const files = issue(directory, name);
    web_server = await start_program({
      space: center, ready: /start worker process/,
      argv: ['/usr/bin/python3', fileURLToPath(new URL('web_server.py', import.meta.url)),
             '--directory', directory, '--certificate', files.certificate, '--key', files.key,
             '--proxy-protocol'],
    });
    server = await start_server({
      space: center, directory, files, addresses: [address], tls_port: 443,
      more: 'web_server: {tls: 127.0.0.1:4443, plain: 127.0.0.1:8080, proxy_protocol: v2}',
    });
    const launch = async (browser) => ({
      browser: await Browser.launch(browser, client, directory, files.authority),
      credentials: server.guest,
    });
    [ends.Chromium, ends.Firefox] = await Promise.all([launch('chromium'), launch('firefox')]);
  });

  afterEach(async () => {
    await hang_up(...Object.values(ends));
    await server.expect_no_allocation();
  });

  after(async () => {
    await Promise.all(Object.values(ends).map(({browser}) => browser?.quit()));
    await web_server?.stop();
    await server?.stop();
    network.remove();
  });

  for (const who of ['Chromium', 'Firefox']) {
    it(`${who} gets its page, and a WebSocket, from the web server`, async () => {
      const {browser} = ends[who];
      await browser.do('open', `https://${name}/`);
      const reached = await browser.do('reach');
      assert.deepEqual(reached, {text: `hello ${guest}`, echoed: 'red thread', protocol: 'h2'});
      await browser.do('open', call_page);
    });
  }

  it('Chromium and Firefox call each other through turns: there', async () => {
    const relayed = ({credentials}) =>
      ({iceServers: [{urls: url, ...credentials}], iceTransportPolicy: 'relay'});
    for (const {local} of await call(ends.Chromium, ends.Firefox, relayed)) {
      assert.equal(local.candidateType, 'relay');
      assert.equal(local.relayProtocol, 'tls');
    }
  });
});
