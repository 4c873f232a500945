// Network namespaces of one test file. Nothing is made in the namespace that the tests run
// in; names carry the process id. Whatever ends the test also removes them.
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const quiet = {stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8'};

function ip(...argv) {
  return execFileSync('ip', argv, quiet);
}

export class Network {
  #spaces = new Set();
  #on_signal = () => {
    this.remove();
    process.exit(1);
  };

  // For the files of whoever lives in this network; goes with it.
  directory = mkdtempSync(join(tmpdir(), 'yuelao-e2e-'));

  constructor() {
    if (process.getuid() !== 0) throw new Error('network namespaces need root: run this as root');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, this.#on_signal);
    process.once('exit', () => this.remove());
  }

  // `hosts`: name -> address, the only names that resolve in there.
  add(name, hosts = {}) {
    const space = `yuelao-${process.pid}-${name}`;
    // What `ip netns exec` shows as /etc: without it every look-up waits for a name server
    // that cannot be reached. Chromium asks for a TURN server's name with its final dot.
    mkdirSync(`/etc/netns/${space}`, {recursive: true});
    const lines = Object.entries(hosts).map(([host, address]) => `${address} ${host} ${host}.\n`);
    writeFileSync(`/etc/netns/${space}/hosts`, `127.0.0.1 localhost\n${lines.join('')}`);
    writeFileSync(`/etc/netns/${space}/resolv.conf`, 'nameserver 127.0.0.1\n');
    this.#spaces.add(space);
    ip('netns', 'add', space);
    ip('-n', space, 'link', 'set', 'lo', 'up');
    this.#forwarding(space, false);
    return space;
  }

  // Each end: {space, device, addresses}.
  link(one, other) {
    ip('link', 'add', one.device, 'netns', one.space, 'type', 'veth',
       'peer', 'name', other.device, 'netns', other.space);
    for (const {space, device, addresses = []} of [one, other]) {
      this.address(space, device, ...addresses);
      ip('-n', space, 'link', 'set', device, 'up');
    }
  }

  // A switch inside `space`, with an address there.
  bridge(space, device, address) {
    ip('-n', space, 'link', 'add', device, 'type', 'bridge');
    this.address(space, device, address);
    ip('-n', space, 'link', 'set', device, 'up');
  }

  plug(space, device, bridge) {
    ip('-n', space, 'link', 'set', device, 'master', bridge);
  }

  // `addresses`: IPv4 and IPv6, 'address/n'.
  address(space, device, ...addresses) {
    for (const address of addresses) {
      // Nobody else is there, so an address can be used at once.
      const how = address.includes(':') ? ['nodad'] : [];
      ip('-n', space, 'address', 'add', address, 'dev', device, ...how);
    }
  }

  route(space, ...route) {
    ip('-n', space, 'route', 'replace', ...route);
  }

  routes_to(space, address) {
    try {
      ip('-n', space, 'route', 'get', address);
      return true;
    } catch {
      return false;
    }
  }

  // Makes `space` a home router. The input policy keeps the peer's early checks out of the
  // connection table: an entry they left there would take the port that the client's own
  // mapping is about to use, and even a well-behaved NAT would look symmetric.
  masquerade(space, {inside, outside, how = ''}) {
    this.#forwarding(space, true);
    this.#feed(space, ['nft', '-f', '-'], `
      flush ruleset
      table ip nat {
        chain postrouting {
          type nat hook postrouting priority srcnat
          oifname "${outside}" masquerade ${how}
        }
      }
      table ip filter {
        chain input {
          type filter hook input priority filter; policy accept
          iifname "${outside}" ct state new drop
        }
        chain forward {
          type filter hook forward priority filter; policy drop
          iifname "${inside}" accept
          ct state established,related accept
        }
      }`);
  }

  #forwarding(space, on) {
    const settings = ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'];
    const files = settings.map((setting) => `/proc/sys/net/${setting}`);
    this.#feed(space, ['tee', ...files], on ? '1' : '0');
  }

  #feed(space, argv, input) {
    execFileSync('ip', ['netns', 'exec', space, ...argv], {stdio: 'pipe', input});
  }

  // Ends what still runs in the namespaces, then removes them.
  remove() {
    for (const space of this.#spaces) {
      try {
        for (const pid of ip('netns', 'pids', space).split('\n').filter(Boolean)) {
          try {
            process.kill(Number(pid), 'SIGKILL');
          } catch {
            // It ended by itself in between.
          }
        }
        ip('netns', 'delete', space);
      } catch (error) {
        console.error(`${space} could not be removed: ${error.message}`);
      }
      rmSync(`/etc/netns/${space}`, {recursive: true, force: true});
    }
    this.#spaces.clear();
    rmSync(this.directory, {recursive: true, force: true});
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, this.#on_signal);
  }
}
