// What a person does with a web page, as commands of a browser's driver.
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {createRequire} from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// Runs in the page.
function shown() {
  const text = (node) => node?.innerText.trim() ?? '';
  const at = (selector) => document.querySelector(selector);
  return {
    language: document.documentElement.lang,
    title: text(at('h1')),
    verdict: text(at('#verdict_text')),
    level: at('#verdict').dataset.level,
    notes: text(at('#verdict_notes')),
    progress: text(at('#progress')),
    problem: text(at('#problem')),
    network: at('#network').hidden ? '' : text(at('#network_lines')),
    report: at('#report_text').value,
    ended: !at('#report').hidden,
    active: document.activeElement.id,
    cards: [...document.querySelectorAll('#cards > li')].map((card) => ({
      url: text(card.querySelector('code')),
      level: card.dataset.level,
      steps: [...card.querySelectorAll('.thread li')].map(({dataset}) => dataset.state).join(' '),
      why: text(card.querySelector('.reason dd')),
      fix: text(card.querySelector('.reason div:last-child dd')),
      figures: text(card.querySelector('.figures')),
      plots: [...card.querySelectorAll('.plot svg')].map((plot) => plot.getAttribute('aria-label')),
      details: card.querySelector('details').textContent,
    })),
  };
}

export function page_commands(page_of) {
  const requests = [];
  let credentials;
  let reader;
  return {
    // `languages`: what the browser says the person reads.
    async open(url, {languages = ['en-US'], dark = false, width = 1280, height = 900} = {}) {
      const page = page_of();
      page.removeAllListeners('request');
      requests.length = 0;
      page.on('request', (request) => requests.push(request.url()));
      await page.setViewport({width, height});
      // Firefox cannot be asked to.
      if (!/firefox/i.test(await page.browser().version())) {
        const value = dark ? 'dark' : 'light';
        await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value}]);
      }
      if (reader) await page.removeScriptToEvaluateOnNewDocument(reader);
      ({identifier: reader} = await page.evaluateOnNewDocument((tags) => {
        Object.defineProperty(navigator, 'languages', {get: () => tags});
      }, languages));
      await page.goto(url);
    },
    requests: () => requests,
    shown: () => page_of().evaluate(shown),
    async fill(selector, text) {
      await page_of().$eval(selector, (field, value) => {
        field.value = value;
        field.dispatchEvent(new Event('input', {bubbles: true}));
      }, text);
    },
    click: (selector) => page_of().click(selector),
    press: (key) => page_of().keyboard.press(key),
    type: (text) => page_of().keyboard.type(text),
    async ended(timeout) {
      await page_of().waitForSelector('#report:not([hidden])', {timeout});
      return page_of().evaluate(shown);
    },
    async problem() {
      await page_of().waitForSelector('#problem:not([hidden])', {timeout: 5000});
      return (await page_of().evaluate(shown)).problem;
    },
    async open_details() {
      await page_of().$$eval('details', (all) => all.forEach((one) => { one.open = true; }));
    },
    async screenshot(path) {
      await page_of().screenshot({path, fullPage: true});
    },
    // What the page gets from where it came from: by fetch(), and through a WebSocket.
    reach: () => page_of().evaluate(async () => {
      const text = await (await fetch('/')).text();
      const echoed = await new Promise((resolve, reject) => {
        const socket = new WebSocket(`wss://${location.host}/socket`);
        socket.onopen = () => socket.send('red thread');
        socket.onmessage = ({data}) => {
          socket.close();
          resolve(data);
        };
        socket.onerror = () => reject(new Error('no WebSocket'));
      });
      const protocol = performance.getEntriesByType('navigation')[0].nextHopProtocol;
      return {text, echoed, protocol};
    }),
    // Whether the page can be read without scrolling sideways.
    fits: () => page_of().evaluate(() => document.documentElement.scrollWidth <= innerWidth),
    // The accessibility rules that the page breaks, each with what breaks it.
    async barriers() {
      await page_of().evaluate(axe);
      return page_of().evaluate(async () => {
        const {violations} = await axe.run(document, {
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        });
        return violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`);
      });
    },
    // Gives `answer` as JSON to any page that asks; its address is the result.
    async serve_credentials(host, answer) {
      credentials?.close();
      credentials = createServer((request, response) => {
        response.writeHead(200, {'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*'});
        response.end(JSON.stringify(answer));
      });
      await new Promise((resolve) => { credentials.listen(0, host, resolve); });
      return `http://${host}:${credentials.address().port}/turn/credentials?service=turn`;
    },
  };
}
