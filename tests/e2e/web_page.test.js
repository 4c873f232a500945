// The connection check in the browsers that operators have: what it says of a server that
// works, and of each way in which one does not.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, afterEach, before, describe, it} from 'node:test';
import {fileURLToPath, pathToFileURL} from 'node:url';

import {address, BothBrowsers, build_sides} from './both_browsers.js';
import {issue} from './certificate.js';
import {start_coturn} from './coturn.js';
import {Network} from './network.js';
import {program, start_server} from './server.js';

const strict_address = '203.0.113.2'; // coturn that relays to nobody
const name = 'turn.test';
const admin = `http://${address}:9641`;
const pictures = fileURLToPath(new URL('../../build/results/web-page', import.meta.url));

const ways = {
  udp: `turn:${address}:3478?transport=udp`,
  tcp: `turn:${address}:3478?transport=tcp`,
  tls: `turns:${name}:5349?transport=tcp`,
};

describe('the connection check', {timeout: 120_000}, () => {
  const network = new Network();
  let both;
  let server;
  let coturn;

  before(async () => {
    mkdirSync(pictures, {recursive: true});
    const hosts = {[name]: address, 'strict.test': strict_address};
    const {center, spaces} = build_sides(network, hosts, strict_address);
    const files = issue(network.directory, name);
    const unknown = join(network.directory, 'unknown');
    mkdirSync(unknown);
    [both, server, coturn] = await Promise.all([
      BothBrowsers.launch(spaces, network.directory, files.authority),
      start_server({space: center, addresses: [address], directory: network.directory, files,
                    metrics: `${address}:9641`}),
      start_coturn({space: center, address: strict_address, files: issue(unknown, 'strict.test'),
                    rules: ['--denied-peer-ip=0.0.0.0-255.255.255.255']}),
    ]);
  });

  after(async () => {
    await both?.quit();
    await coturn?.stop();
    await server?.stop();
    network.remove();
  });

  afterEach(() => server.expect_no_allocation());

  const in_both = (act) => both.do(act);
  const picture = (browser, what) => browser.do('screenshot', join(pictures, `${what}.png`));

  // What the page shows at the end of a check of `servers`.
  async function checked(browser, servers, {url = `${admin}/`, ...options} = {}) {
    await browser.do('open', url, options);
    await browser.do('fill', '#servers', JSON.stringify(servers));
    await browser.do('fill', '#duration', '3');
    await browser.do('click', '#start');
    return browser.do('ended', 40_000);
  }

  // Nothing was asked of anybody but `origin`. Firefox has pictures of its own.
  async function expect_no_stranger(browser, origin) {
    const asked = await browser.do('requests');
    assert.deepEqual(asked.filter((url) => !url.startsWith(origin) && !url.startsWith('data:')), []);
  }

  it('finds every way through a healthy server', async () => {
    await in_both(async (browser, {what}) => {
      const urls = [`stun:${address}:3478`, ...Object.values(ways)];
      const {cards, ...shown} = await checked(browser, {urls, ...server.guest});
      await picture(browser, `healthy-${what}`);
      assert.deepEqual(cards.map(({url, level}) => [url, level]), urls.map((url) => [url, 'ok']));
      assert.equal(shown.verdict, 'Works: calls will connect even behind strict firewalls');
      assert.match(shown.notes, /only port 443/);
      assert.equal(shown.level, 'ok');
      assert.match(shown.network, /Seen from outside as 10\.77\.[12]\.2\./);
      for (const {steps, figures, plots, details} of cards.slice(1)) {
        assert.equal(steps, 'ok ok ok ok');
        assert.match(figures, /Round trip\n[\d.,]+ ms[^]*Lost\n[\d.]+ %[^]*Throughput\n[\d.,]+ Mbit\/s/);
        assert.match(plots[0], /median [\d.,]+ ms, from [\d.,]+ ms to [\d.,]+ ms, \d+ of \d+ probes lost/);
        assert.match(plots[1], /[\d.,]+ Mbit\/s on average/);
        assert.match(details, /relayudp(udp|tcp|tls)10\.77\.0\.1:/);
      }
      assert.deepEqual(await browser.do('barriers'), []);
      await expect_no_stranger(browser, admin);
    });
  });

  it('tells a wrong password from an old one, and passes neither on', async () => {
    const past = `${Math.floor(Date.now() / 1000) - 3600}:guest`;
    const servers = [
      {urls: ways.udp, ...server.alice, credential: 'not-the-password'},
      {urls: ways.tcp, username: past, credential: server.guest.credential},
    ];
    await in_both(async (browser, {what}) => {
      const {cards: [wrong, old], ...shown} = await checked(browser, servers, {dark: true});
      await picture(browser, `wrong-password-${what}`);
      assert.equal(shown.verdict, 'Does not work: no server can be used');
      assert.equal(wrong.steps, 'ok ok failed waiting');
      assert.match(wrong.why, /refused the user name or password \(401\)/);
      assert.match(wrong.fix, /shared secret/);
      assert.match(old.why, /\(401\): they ended on /);
      assert.match(old.fix, /yuelao credentials --json/);
      assert.deepEqual(await browser.do('barriers'), []);

      await browser.do('click', '#copy');
      const {report} = await browser.do('shown');
      assert.match(report, /\[Fails\] Relay · UDP {2}turn:host-1:3478\?transport=udp\n {2}Why: The server refused/);
      for (const secret of ['alice', 'not-the-password', past, server.guest.credential, '10.77.']) {
        assert.ok(!report.includes(secret), `${secret} in\n${report}`);
      }
      await browser.do('click', '#with_addresses');
      await browser.do('click', '#copy');
      assert.match((await browser.do('shown')).report, /turn:10\.77\.0\.1:3478/);
    });
  });

  it('says which port is closed', async () => {
    const urls = ['udp', 'tcp'].map((transport) => `turn:${address}:3999?transport=${transport}`);
    await in_both(async (browser, {what}) => {
      const {cards, ...shown} = await checked(browser, {urls, ...server.guest}, {width: 390});
      await picture(browser, `closed-port-phone-${what}`);
      assert.equal(shown.level, 'failed');
      const [udp, tcp] = cards;
      assert.equal(udp.steps, 'ok failed waiting waiting');
      assert.equal(udp.why, `No answer from ${address}, UDP port 3999.`);
      assert.match(udp.fix, /UDP 3999 is open/);
      assert.equal(tcp.steps, 'ok failed waiting waiting');
      assert.match(tcp.why, /^No connection to 10\.77\.0\.1, TCP port 3999/);
      assert.ok(await browser.do('fits'));
    });
  });

  it('names the certificate when TLS fails, and how to look at it', async () => {
    const servers = {urls: ['turns:strict.test:5349'], ...coturn.user};
    await in_both(async (browser, {what}) => {
      const {cards: [card]} = await checked(browser, servers);
      await picture(browser, `untrusted-certificate-${what}`);
      assert.equal(card.steps, 'ok failed waiting waiting');
      assert.match(card.why, /does not trust the certificate/);
      assert.match(card.fix, /Open https:\/\/strict\.test:5349\/:/);
      assert.deepEqual(await browser.do('barriers'), []);
    });
  });

  it('shows a relay whose server blocks the peer', async () => {
    const servers = {urls: [`turn:${strict_address}`], ...coturn.user};
    await in_both(async (browser, {what}) => {
      const {cards: [card], ...shown} = await checked(browser, servers, {dark: true});
      await picture(browser, `blocked-peer-${what}`);
      assert.equal(shown.verdict, 'Does not work: no relay carries data');
      assert.equal(card.steps, 'ok ok ok failed');
      assert.match(card.why, /block the peer \(403\)/);
      assert.match(card.fix, /\(203\.0\.113\.2\)/);
      assert.match(card.fix, /peers\.allow in yuelao, allowed-peer-ip in coturn/);
    });
  });

  it('is the same as a file, with the keyboard alone, in Traditional Chinese', async () => {
    const file = join(network.directory, 'check.html');
    writeFileSync(file, execFileSync(program, ['web-page']));
    const url = pathToFileURL(file).href;
    await in_both(async (browser, {what}) => {
      await browser.do('open', url, {languages: ['fr', 'zh-Hant-TW', 'en'], width: 390});
      await browser.do('fill', '#duration', '3');
      // Two languages, the ways to name servers, and the field.
      for (let i = 0; i < 4; ++i) await browser.do('press', 'Tab');
      assert.equal((await browser.do('shown')).active, 'servers');
      await browser.do('type', `turn:${address}:3478 `);
      for (let i = 0; i < 2; ++i) await browser.do('press', 'Tab');
      await browser.do('press', 'Enter');
      const shown = await browser.do('ended', 40_000);
      await picture(browser, `file-zh-tw-phone-${what}`);
      assert.equal(shown.language, 'zh-TW');
      assert.equal(shown.title, '通話接得通嗎？');
      assert.equal(shown.active, 'verdict');
      assert.equal(shown.verdict, '不可用：沒有任何伺服器能使用');
      assert.match(shown.cards[0].why, /^中繼需要使用者名稱與密碼/);
      assert.ok(await browser.do('fits'));
      assert.deepEqual(await browser.do('barriers'), []);
      await expect_no_stranger(browser, url);

      const urls = [`stun:${address}:3478`, ways.udp];
      const {cards, network: told} = await checked(browser, {urls, ...server.guest}, {url});
      assert.deepEqual(cards.map(({steps}) => steps), ['ok ok', 'ok ok ok ok']);
      // A file may see the browser's own address in Chromium, which then leaves out what STUN
      // tells of it.
      assert.match(told, what === 'chromium' ? /no NAT in front/ : /One STUN server alone/);
    });
  });

  it('takes credentials from an address, and says what was wrong with one', async () => {
    await in_both(async (browser, {address: host}) => {
      const {username, credential: password} = server.guest;
      const good = await browser.do('serve_credentials', host, {username, password, ttl: 60, uris: [`${ways.udp}`]});
      await browser.do('open', `${admin}/`);
      await browser.do('click', 'input[value=fetch]');
      await browser.do('fill', '#address', `${admin}/metrics`);
      await browser.do('click', '#start');
      assert.match(await browser.do('problem'), /no stun: or turn: URL/);
      await browser.do('fill', '#address', good);
      await browser.do('click', '#start');
      await browser.do('click', '#start'); // which says Stop by now
      const {verdict, cards} = await browser.do('ended', 20_000);
      assert.equal(cards[0].url, ways.udp);
      assert.equal(verdict, 'Stopped before the end');
    });
  });
});
