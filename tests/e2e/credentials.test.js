// A web page of another origin fetches its ICE servers from /turn/ice-servers: the connection
// check, which then tries them. CORS lets the pages of `credentials.origins` read them, and
// nobody else's.
import assert from 'node:assert/strict';
import {after, afterEach, before, describe, it} from 'node:test';

import {address, BothBrowsers, build_sides} from './both_browsers.js';
import {issue} from './certificate.js';
import {Network} from './network.js';
import {start_server} from './server.js';

const name = 'turn.test';
const origin = `http://${address}:9641`;
const stranger = `http://${name}:9641`; // the same page, and to browsers another one's
const service = `http://${address}:9642/turn`;
const key = 'e2e-key-of-the-page-0123456789';

const paths = {
  'ice-servers': `${service}/ice-servers?key=${key}`,
  credentials: `${service}/credentials?service=turn&key=${key}`,
};

describe('ICE servers over HTTP', {timeout: 240_000}, () => {
  const network = new Network();
  let both;
  let server;

  before(async () => {
    const {center, spaces} = build_sides(network, {[name]: address});
    const {directory} = network;
    const files = issue(directory, name);
    [both, server] = await Promise.all([
      BothBrowsers.launch(spaces, directory, files.authority),
      start_server({
        space: center, addresses: [address], directory, files, metrics: `${address}:9641`,
        more: `credentials: {listen: '${address}:9642', keys: [{value: ${key}}], origins: ['${origin}']}`,
      }),
    ]);
  });

  afterEach(() => server.expect_no_allocation());

  after(async () => {
    await both?.quit();
    await server?.stop();
    network.remove();
  });

  // Has the page at `page` ask `url`.
  async function start(browser, page, url) {
    await browser.do('open', `${page}/`);
    await browser.do('click', 'input[value=fetch]');
    await browser.do('fill', '#address', url);
    await browser.do('fill', '#duration', '3');
    await browser.do('click', '#start');
  }

  for (const [path, url] of Object.entries(paths)) {
    it(`a page whose origin is listed gets relays that work from /turn/${path}`, async () => {
      await both.do(async (browser) => {
        await start(browser, origin, url);
        const {cards, verdict} = await browser.do('ended', 60_000);
        const urls = [`turn:${address}:3478?transport=udp`, `turn:${address}:3478?transport=tcp`,
                      `turns:${name}:5349?transport=tcp`, `turns:${name}:3478?transport=tcp`];
        if (path === 'ice-servers') urls.unshift(`stun:${address}:3478`);
        assert.deepEqual(cards.map((card) => [card.url, card.level]), urls.map((one) => [one, 'ok']));
        assert.match(verdict, /^Works/);
        for (const {steps} of cards.slice(-4)) assert.equal(steps, 'ok ok ok ok');
        assert.ok((await browser.do('requests')).includes(url));
      });
      assert.ok(!server.log.includes(key), server.log);
    });
  }

  it('a page of another origin may not read them', async () => {
    await both.do(async (browser) => {
      await start(browser, stranger, paths['ice-servers']);
      assert.match(await browser.do('problem'), /does not let this page read its answer \(CORS\)/);
      assert.deepEqual((await browser.do('shown')).cards, []);
    });
  });

  it('a listed page with a wrong key is told the refusal', async () => {
    await both.do(async (browser) => {
      await start(browser, origin, paths['ice-servers'].slice(0, -1));
      assert.match(await browser.do('problem'), /answered 403 /);
    });
  });
});
