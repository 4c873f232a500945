import {execFileSync} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';

const quiet = {stdio: ['ignore', 'pipe', 'pipe']};
const new_key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

// An authority and a certificate of its own for `name`; the paths of their PEM files.
export function issue(directory, name) {
  const at = (file) => join(directory, file);
  const files = {
    authority: at('authority.pem'),
    certificate: at('certificate.pem'),
    key: at('key.pem'),
  };
  execFileSync('openssl', ['req', '-x509', ...new_key, '-days', '2',
    '-subj', '/CN=yuelao end-to-end test authority', '-keyout', at('authority.key'),
    '-out', files.authority], quiet);
  execFileSync('openssl', ['req', '-x509', ...new_key, '-days', '2', '-subj', `/CN=${name}`,
    '-CA', files.authority, '-CAkey', at('authority.key'),
    '-addext', `subjectAltName=DNS:${name}`, '-addext', 'basicConstraints=critical,CA:FALSE',
    '-addext', 'extendedKeyUsage=serverAuth',
    '-keyout', files.key, '-out', files.certificate], quiet);
  return files;
}

// Makes the NSS database `directory` trust `authority`, as a user's import would.
export function trust(directory, authority) {
  mkdirSync(directory, {recursive: true});
  execFileSync('certutil', ['-d', `sql:${directory}`, '-N', '--empty-password'], quiet);
  execFileSync('certutil', ['-d', `sql:${directory}`, '-A', '-t', 'C,,', '-n', 'e2e',
    '-i', authority], quiet);
}
