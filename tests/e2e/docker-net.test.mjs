// <NAME>_NET: a container reaches what is allowed, by the proxy, and nothing else in any way.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';

import { comes, isGone, test, waitFor } from './bridge.mjs';
import { theEngine, whyNoEngine } from './engine.mjs';
import { startPool } from './pools.mjs';

const engine = await theEngine();
const image = await engine?.hasSmallImage();
const fakes = resolve(import.meta.dirname, '../fakes');
const netTest = (name, run) => test(name, { skip: whyNoEngine ?? false }, run);

const start = (t, { allow, env, ...options }) => startPool(t, {
  engine, image, network: '', ...options,
  env: (directory, cloud) => ({ MINE_NET: allow, ...typeof env === 'function' ? env(directory, cloud) : env }),
});

// A server of this machine that says who it is.
async function server(t, name) {
  const one = http.createServer((request, response) => response.end(`this is ${name}`));
  await comes('a port', new Promise(done => one.listen(0, '127.0.0.1', done)));
  t.after(() => one.close());
  return one.address().port;
}

// What a program in the session's container has found by trying things: see tests/fakes/tries.mjs.
async function tries(pool, session, what) {
  copyFileSync(join(fakes, 'tries.mjs'), join(pool.cwd, 'tries.mjs'));
  const said = await pool.says(session, `run node tries.mjs '${JSON.stringify(what)}' 2>/dev/null`);
  return JSON.parse(said.slice(1, -1));
}

const commandOf = pid => {
  try {
    return { pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim(), cwd: readlinkSync(`/proc/${pid}/cwd`) };
  } catch {
    return null; // it has gone
  }
};

// The processes on this machine that are the way out of the pool's containers.
const wayOut = pool => readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(commandOf)
  .filter(p => p && (/tinyproxy -d/.test(p.command) && p.cwd.startsWith(pool.bridge.directory)
    || /cli-bridge-slot relay/.test(p.command) && p.command.includes(pool.bridge.directory)));
const proxyOf = pool => wayOut(pool).find(({ command }) => /tinyproxy/.test(command));
const relayOf = pool => wayOut(pool).find(({ command }) => /relay/.test(command));

netTest('what is allowed is reached by the proxy, and nothing else by any way', async t => {
  const [allowed, other] = [await server(t, 'allowed'), await server(t, 'other')];
  const pool = await start(t, { allow: `allow:127.0.0.1:${allowed}` });
  const machine = Object.values(networkInterfaces()).flat().filter(one => !one.internal).map(one => one.address);
  const proxied = port => ({ url: `http://127.0.0.1:${port}/` });
  const seen = await tries(pool, 'anna', {
    get: proxied(allowed),
    tunnel: { tunnel: `127.0.0.1:${allowed}` },
    otherPort: proxied(other),
    otherPortTunnel: { tunnel: `127.0.0.1:${other}` },
    otherName: { url: `http://localhost:${allowed}/` },
    otherHost: { tunnel: 'example.com:443' },
    inName: { tunnel: `127.0.0.1:${allowed}.example.com:443` },
    inUser: { raw: `GET http://127.0.0.1:${allowed}@example.com/ HTTP/1.0\r\n\r\n` },
    inHost: { raw: `GET / HTTP/1.0\r\nHost: 127.0.0.1:${other}\r\n\r\n` },
    inSplitHost: { raw: `GET / HTTP/1.0\r\nHost: 127.0.0.1:${allowed}\n example.com\r\n\r\n` },
    bySocket: { socket: '/cli-bridge-net/proxy', raw: `GET / HTTP/1.0\r\nHost: 127.0.0.1:${allowed}\r\n\r\n` },
    direct: { connect: ['127.0.0.1', allowed] },
    name: { name: 'example.com' },
    datagram: { datagram: '192.0.2.53' },
    ...Object.fromEntries(machine.map(address => [`machine ${address}`, { connect: [address, other] }])),
    write: { write: '/cli-bridge-net/mine' },
    engine: { socket: '/var/run/docker.sock', raw: 'GET /_ping HTTP/1.0\r\n\r\n' },
  });
  assert.match(seen.get, /^HTTP\/1.\d 200 .*this is allowed$/s);
  assert.match(seen.tunnel, /^HTTP\/1.0 200 /);
  for (const name of ['otherPort', 'otherPortTunnel', 'otherName', 'otherHost', 'inName', 'inUser'])
    assert.match(seen[name], /^HTTP\/1.\d 403 /, name);
  for (const name of ['inHost', 'inSplitHost', 'bySocket'])
    assert.equal(seen[name], '', name); // the connection has ended
  assert.equal(seen.direct, 'ECONNREFUSED');
  assert.match(seen.name, /^E/);
  assert.equal(seen.datagram, 'ENETUNREACH');
  machine.forEach(address => assert.match(seen[`machine ${address}`], /^E(NETUNREACH|ADDRNOTAVAIL|INVAL)$/));
  assert.match(seen.write, /^E(ROFS|ACCES)$/);
  assert.equal(seen.engine, 'ENOENT');
  assert.match(await pool.says('anna', 'run cat /proc/net/dev /proc/net/route | tail -n +3 | wc -l'), /\[2\n\]/); // lo, and a head
  await pool.bridge.logs(/way out was refused: .*example\.com:443/);
  await pool.says('sealed', 'run true', { mode: 'hosted-sandboxed' });
});

netTest('slots do not reach each other', async t => {
  const pool = await start(t, { allow: `allow:127.0.0.1:${await server(t, 'allowed')}` });
  copyFileSync(join(fakes, 'tries.mjs'), join(pool.cwd, 'tries.mjs'));
  const anna = await pool.streams('anna', `run node -e 'require("net").createServer(s => s.end("it is anna")).listen(5555, "127.0.0.1", () => require("fs").writeFileSync("listens", ""))'`).isConnected();
  await waitFor('it listens', () => readdirSync(pool.cwd).includes('listens'));
  const seen = await tries(pool, 'bert', { port: { connect: ['127.0.0.1', 5555] }, proxied: { tunnel: '127.0.0.1:5555' } });
  assert.equal(seen.port, 'ECONNREFUSED');
  assert.match(seen.proxied, / 403 /);
  anna.leaves();
  await pool.isWhole();
});

netTest('the proxy and the relay come back, and end with their worker', async t => {
  const allowed = await server(t, 'allowed');
  const pool = await start(t, { allow: `allow:127.0.0.1:${allowed}`, size: 1 });
  const reaches = async () => assert.match((await tries(pool, 'anna', { get: { url: `http://127.0.0.1:${allowed}/` } })).get, /this is allowed$/);
  await reaches();
  const containers = await pool.containers();
  for (const who of [proxyOf, relayOf]) {
    const { pid } = who(pool);
    process.kill(pid, 'SIGKILL');
    await waitFor('there is another', () => (who(pool)?.pid ?? pid) !== pid);
    await reaches();
  }
  assert.deepEqual((await pool.containers()).map(c => c.id), containers.map(c => c.id), 'the slot is the same');
  const before = wayOut(pool).map(p => p.pid);
  assert.equal(before.length, 2);
  const worker = await pool.bridge.kill('mine');
  await isGone(() => wayOut(pool).filter(p => before.includes(p.pid)), { within: 1000 });
  await pool.bridge.isReplaced('mine', worker);
  await pool.slotsAre({ dead: 0 });
  await reaches();
  await pool.bridge.stops();
  assert.deepEqual(wayOut(pool), []);
});

netTest('a host that cannot be reached is a warning', async t => {
  const gone = await comes('a port where nobody listens', new Promise(done => {
    const one = http.createServer().listen(0, '127.0.0.1', () => {
      const { port } = one.address();
      one.close(() => done(port));
    });
  }));
  const pool = await start(t, { allow: `allow:127.0.0.1:${await server(t, 'allowed')},*.example.com,127.0.0.1:${gone}`, size: 1 });
  await waitFor('it is said', async () => new RegExp(`cannot reach 127\\.0\\.0\\.1:${gone}$`).test((await pool.row()).detail));
  assert.equal((await pool.row()).state, 'ready');
});

// ---- what keeps a pool from serving ----

const WITHOUT = '/nowhere';

netTest('without tinyproxy nothing runs, and it is said what to install', async t => {
  const pool = await start(t, { allow: 'allow:api.example.com', env: { PATH: WITHOUT }, waits: false });
  await waitFor('it is said', async () => /apt-get install tinyproxy-bin/.test((await pool.row())?.detail));
  assert.equal((await pool.row()).state, 'unavailable');
  const message = await pool.refuses('anna', 503, 'harness_not_set_up');
  assert.match(message, /apt-get install tinyproxy-bin/);
});

netTest('a proxy that does not filter: no slot serves', async t => {
  const pool = await start(t, {
    allow: `allow:127.0.0.1:${await server(t, 'allowed')}`, size: 1, waits: false,
    env(directory) {
      const path = join(directory, 'programs');
      mkdirSync(path, { recursive: true });
      const real = execFileSync('sh', ['-c', 'command -v tinyproxy']).toString().trim();
      writeFileSync(join(path, 'tinyproxy'), `#!/bin/sh\n/bin/sed -i '/^Filter/d;/^ConnectPort/d' tinyproxy.conf\nexec ${real} "$@"\n`);
      chmodSync(join(path, 'tinyproxy'), 0o755);
      return { PATH: path };
    },
  });
  await waitFor('it is said', async () => /can reach more than is allowed/.test((await pool.row())?.detail));
  assert.match(await pool.refuses('anna', 503, 'harness_not_set_up'), /the proxy did not refuse (127\.0\.0\.1:1|cli-bridge\.invalid:443)\b/);
});

const wrong = {
  'no list': [{ MINE_NET: 'api.example.com' }, 'allow:'],
  'an empty list': [{ MINE_NET: 'allow:' }, 'names of hosts with commas'],
  'a URL': [{ MINE_NET: 'allow:https://api.example.com' }, 'names of hosts with commas'],
  'a network besides': [{ MINE_NET: 'allow:api.example.com', MINE_DOCKER_NETWORK: 'host' }, 'MINE_DOCKER_NETWORK'],
  'CLIs of this machine': [{ MINE_NET: 'allow:api.example.com', MINE_EXECUTOR: 'host' }, '_EXECUTOR=docker'],
};

for (const [what, [env, words]] of Object.entries(wrong))
  netTest(`${what} is refused at the start`, async t => {
    const pool = await start(t, { env, waits: false, exit: { code: 78, signal: null } });
    await waitFor('it ends', () => pool.bridge.exit);
    for (const text of [words, ...Object.values(env).slice(-1)])
      await pool.bridge.logs(text);
  });

// ---- real CLIs ----

const ofClis = engine && (process.env.BRIDGE_TEST_IMAGE ?? execFileSync(resolve(import.meta.dirname, '../../scripts/test-images'), ['clis'],
  { env: { ...process.env, DOCKER_HOST: engine.host }, stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim().split('\n').at(-1));

for (const cli of (process.env.BRIDGE_TEST_CLIS ?? 'claude,codex').split(','))
  netTest(`the real ${cli} answers by the proxy`, async t => {
    const pool = await start(t, {
      image: ofClis, cli, size: 1,
      env: (directory, cloud) => ({ MINE_NET: '', [`${cli.toUpperCase()}_NET`]: `allow:127.0.0.1:${cloud.port}` }),
    });
    assert.match(await pool.says('anna', 'hello'), /hello/);
    assert.ok(pool.cloud.requests.length > 0);
  });
