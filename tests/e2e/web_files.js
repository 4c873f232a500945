// A web server for the pages of tests.
import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {extname, normalize} from 'node:path';

const types = {'.html': 'text/html', '.js': 'text/javascript'};

// `folders`: first part of a path -> directory. A name without an extension is a module's.
// The origin is the result; browsers trust it with cameras.
export async function serve_files(folders) {
  const server = createServer(async ({url}, response) => {
    const [, folder, name] = normalize(new URL(url, 'http://localhost').pathname)
        .match(/^\/([^/]+)\/(.+)$/) ?? [];
    try {
      const file = `${folders[folder]}/${name}${extname(name) ? '' : '.js'}`;
      const content = await readFile(file);
      response.writeHead(200, {'Content-Type': types[extname(file)] ?? 'application/octet-stream'});
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return `http://localhost:${server.address().port}`;
}
