// From what a person has at hand to a list of entries, one a URL. Nothing here touches the
// network or the page.

// RFC 7064 and RFC 7065; some systems write turn://host.
const ice_url =
  /^(stuns?|turns?):(?:\/\/)?(\[[0-9a-f:.]+\]|[^\s:?/"',\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;
const ice_url_in_text = /\b(?:stuns?|turns?):[^\s"',;)\]}]*(?:\[[0-9a-fA-F:.]+\][^\s"',;)\]}]*)?/g;
const address_literal = /^(\[.*\]|\d+(\.\d+){3})$/;

// More URLs than any meeting system hands out; each costs an allocation or two.
export const most_entries = 16;

function entry_from(url, username, credential) {
  const parts = ice_url.exec(url);
  if (!parts) return {url, problem: 'bad_url'};
  const [, scheme, host, port, transport = 'udp'] = parts.map((part) => part?.toLowerCase());
  const secure = scheme.endsWith('s');
  const entry = {
    url: url.replace(/^(\w+):\/\//, '$1:'),
    kind: scheme.startsWith('turn') ? 'turn' : 'stun',
    transport: secure ? 'tls' : transport,
    host,
    port: Number(port ?? (secure ? 5349 : 3478)),
    by_address: address_literal.test(host),
  };
  if (entry.kind === 'stun') return entry;
  if (!username || !credential) return {...entry, problem: 'no_credentials'};
  return {...entry, username, credential, expires: expiry_of(username)};
}

// When a TURN REST user name (`expiry` or `expiry:name`) ends, in milliseconds.
function expiry_of(username) {
  const seconds = /^(\d{9,11})(?::|$)/.exec(username)?.[1];
  return seconds ? Number(seconds) * 1000 : undefined;
}

const is_url = (text) => typeof text === 'string' && /^(stun|turn)s?:/i.test(text);

// RTCIceServer, TURN REST ({uris, password}) and XEP-0215 ({type, host, port}) objects,
// however deep they are wrapped.
function* servers_in(value) {
  if (is_url(value)) yield {urls: [value]};
  if (value === null || typeof value !== 'object') return;
  const urls = value.urls ?? value.url ?? value.uris;
  const named = {username: value.username ?? value.user, credential: value.credential ?? value.password};
  if (urls !== undefined) {
    yield {urls: [urls].flat().filter((url) => typeof url === 'string'), ...named};
  } else if (/^(stun|turn)s?$/.test(value.type) && value.host) {
    const host = value.host.includes(':') ? `[${value.host}]` : value.host;
    const port = value.port ? `:${value.port}` : '';
    const way = value.type.startsWith('turn') && value.transport ? `?transport=${value.transport}` : '';
    yield {urls: [`${value.type}:${host}${port}${way}`], ...named};
  } else {
    for (const inner of Object.values(value)) yield* servers_in(inner);
  }
}

// JSON, or an object literal copied out of a program.
function parse_object(text) {
  const body = /[[{][^]*[\]}]/.exec(text)?.[0];
  if (!body) return undefined;
  const relaxed = body.replace(/(^|\s)\/\/.*$/gm, '$1').replace(/'([^'\n]*)'/g, '"$1"')
    .replace(/([{,]\s*)([A-Za-z_]\w*)\s*:/g, '$1"$2":').replace(/,(\s*[}\]])/g, '$1');
  for (const candidate of [text, body, relaxed]) {
    try {
      return JSON.parse(candidate);
    } catch { /* the next may do */ }
  }
  return undefined;
}

// Lines of any kind with URLs in them, as `yuelao credentials` prints without --json.
function server_in_text(text) {
  const field = (names) => new RegExp(`^\\s*(?:${names})\\s*[:=]?\\s+(\\S+)`, 'im').exec(text)?.[1];
  return {
    urls: text.match(ice_url_in_text) ?? [],
    username: field('username|user'),
    credential: field('credential|password'),
  };
}

function unique(entries) {
  const seen = new Set();
  return entries.filter(({url, username, credential}) => {
    const key = JSON.stringify([url.toLowerCase(), username, credential]);
    return !seen.has(key) && seen.add(key);
  });
}

// The entries in `text`. `fallback` has a username and credential for servers without.
export function parse_servers(text, fallback = {}) {
  const value = parse_object(text);
  const servers = value === undefined ? [server_in_text(text)] : [...servers_in(value)];
  return entries_of(servers, fallback);
}

export function entries_of(servers, fallback = {}) {
  const entries = servers.flatMap(({urls, username, credential}) => urls.map(
    (url) => entry_from(url.trim(), username || fallback.username, credential || fallback.credential)));
  return unique(entries).slice(0, most_entries);
}
