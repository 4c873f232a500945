// Two participants of a Jitsi conference, peer-to-peer through the services that Prosody lists
// once it has what `yuelao integrate jitsi` prints.
import assert from 'node:assert/strict';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';

import {Browser} from '../e2e/browser.js';
import {issue} from '../e2e/certificate.js';
import {Network} from '../e2e/network.js';
import {start_program} from '../e2e/program.js';
import {start_server} from '../e2e/server.js';
import {address, build_star} from '../e2e/star.js';

const name = 'turn.test';
const domain = 'meet.test';
const frames = 100;

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
const folders = {
  pages: folder('.'),
  e2e: folder('../e2e'),
  library: folder('../e2e/node_modules/@lyno/lib-jitsi-meet'),
  jquery: folder('../e2e/node_modules/jquery/dist'),
};

function start_prosody(space, directory, printed) {
  const services = join(directory, 'external_services.cfg.lua');
  writeFileSync(services, printed);
  const data = join(directory, 'prosody');
  mkdirSync(data);
  return start_program({
    space, argv: ['prosody', '-F', '--config', folder('prosody.cfg.lua')],
    environment: {PROSODY_DATA: data, EXTERNAL_SERVICES: services},
    ready: /Activated service 'http'/,
  });
}

describe('Jitsi participants without a route between them', {timeout: 180_000}, () => {
  const network = new Network();
  let participants = [];
  let prosody;
  let server;

  before(async () => {
    const {center, clients} = build_star(network, {[name]: address});
    const {directory} = network;
    const files = issue(directory, name);
    server = await start_server({
      space: center, addresses: [address], directory, files, integrate: ['jitsi', '--host', name],
    });
    prosody = await start_prosody(center, directory, server.told('/etc/prosody/'));
    participants = await Promise.all(clients.map(async (space) => {
      const browser = await Browser.launch('chromium', space, directory, files.authority);
      const origin = await browser.do('serve_files', folders);
      await browser.do('open', `${origin}/pages/jitsi_meet.html`);
      return browser;
    }));
  });

  after(async () => {
    await Promise.all(participants.map((browser) => browser.quit()));
    await prosody?.stop();
    await server?.stop();
    network.remove();
  });

  const both = (command, ...argv) =>
    Promise.all(participants.map((browser) => browser.do(command, ...argv)));

  it(`see more than ${frames} frames of each other through the relay`, async () => {
    await both('meet', domain, `ws://${address}:5280/xmpp-websocket`, 'room');
    await both('frames', frames);
    for (const {local, bytesReceived} of await both('selected_pair')) {
      assert.equal(local.candidateType, 'relay');
      assert.ok(bytesReceived > 0);
    }
    await both('leave');
    await server.expect_no_allocation();
  });
});
