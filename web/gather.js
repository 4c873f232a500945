// What the browser gathers with one URL alone.

// A server that needs longer is of no use: meeting systems give up earlier.
const gathering_bound_ms = 10000;
// After the first wanted candidate, for those of other networks and address families.
const settling_ms = 700;

export function configuration_of(entries) {
  const turn = entries.every(({kind}) => kind === 'turn');
  return {
    iceServers: entries.map(({url, username, credential}) =>
      username ? {urls: url, username, credential} : {urls: url}),
    iceTransportPolicy: turn ? 'relay' : 'all',
  };
}

function plain(candidate, url) {
  const {type, protocol, address, port, foundation, relatedAddress, relatedPort} = candidate;
  return {
    type, protocol, address, port, foundation, relatedAddress, relatedPort,
    relay_protocol: candidate.relayProtocol ?? '',
    url: candidate.url ?? url ?? '',
  };
}

function listen(connection, found, wanted, done) {
  let settling;
  connection.onicecandidate = ({candidate, url}) => {
    if (!candidate?.candidate) return;
    found.candidates.push(plain(candidate, url));
    if (candidate.type === wanted) settling ??= setTimeout(done, settling_ms);
  };
  connection.onicecandidateerror = ({errorCode, errorText, url, address}) => {
    found.errors.push({code: errorCode, text: errorText ?? '', url: url ?? '', address: address ?? ''});
  };
  connection.onicegatheringstatechange = () => {
    if (connection.iceGatheringState !== 'complete') return;
    found.complete = true;
    done();
  };
}

// {candidates, errors, complete, took_ms, thrown}: `complete` unless the bound came first or
// what was wanted was found. `signal` ends it early.
export async function gather(entries, signal) {
  const found = {candidates: [], errors: [], complete: false};
  const started = performance.now();
  let connection;
  let bound;
  try {
    const configuration = configuration_of(entries);
    connection = new RTCPeerConnection(configuration);
    const wanted = configuration.iceTransportPolicy === 'relay' ? 'relay' : 'srflx';
    const gathered = new Promise((resolve) => {
      bound = setTimeout(resolve, gathering_bound_ms);
      signal.addEventListener('abort', resolve, {once: true});
      listen(connection, found, wanted, resolve);
    });
    connection.createDataChannel('gather');
    await connection.setLocalDescription(await connection.createOffer());
    await gathered;
  } catch (error) {
    found.thrown = `${error.name}: ${error.message}`;
  } finally {
    clearTimeout(bound);
    connection?.close();
  }
  found.took_ms = performance.now() - started;
  return found;
}
