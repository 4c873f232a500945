// Runs inside a client's namespace and drives its browser: the debugging connection of a
// browser does not leave the namespace, node's message channel does.
import puppeteer from 'puppeteer-core';

import {page_commands} from './page_commands.js';
import {serve_files} from './web_files.js';

const launches = {
  chromium: (home) => ({
    browser: 'chrome',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    userDataDir: `${home}/chromium`,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ],
  }),
  firefox: (home) => ({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    userDataDir: `${home}/firefox`,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
    },
  }),
};

let browser;
let page;

const commands = {
  ...page_commands(() => page),
  serve_files,
  async launch(name, home) {
    browser = await puppeteer.launch({...launches[name](home), headless: true, timeout: 60000});
    page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`${name}: ${error.message}`));
    await page.goto(new URL('page.html', import.meta.url).href);
    return browser.version();
  },
  async quit() {
    await browser?.close();
  },
};

process.on('message', async ({id, command, argv}) => {
  try {
    const value = command in commands ?
        await commands[command](...argv) :
        await page.evaluate((name, ...rest) => end[name](...rest), command, ...argv);
    process.send({id, value});
  } catch (error) {
    process.send({id, error: error.message});
  }
});

// The test is gone, however it ended: so is the browser.
process.on('disconnect', async () => {
  await browser?.close();
  process.exit();
});
