import assert from 'node:assert/strict';

const echoes = 50;
const frames = 30;

// A video and data channel call, `configuration` being each end's RTCConfiguration. What
// every call must show is asserted here; the selected pairs of both ends are the result.
export async function call(caller, callee, configuration) {
  const offer = await caller.browser.do('offer', configuration(caller));
  const answer = await callee.browser.do('answer', configuration(callee), offer);
  await caller.browser.do('accept', answer);
  const ends = [caller.browser, callee.browser];
  await Promise.all(ends.map((browser) => browser.do('connected')));
  assert.equal(await caller.browser.do('echo', echoes, 1000), echoes);
  await Promise.all(ends.map((browser) => browser.do('frames', frames)));
  const pairs = await Promise.all(ends.map((browser) => browser.do('selected_pair')));
  for (const pair of pairs) {
    assert.ok(pair.bytesSent > echoes * 1000, `bytes sent: ${pair.bytesSent}`);
    assert.ok(pair.bytesReceived > echoes * 1000, `bytes received: ${pair.bytesReceived}`);
  }
  return pairs;
}

export async function hang_up(...clients) {
  await Promise.all(clients.map(({browser}) => browser?.do('close')));
}
