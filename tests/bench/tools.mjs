// What is started to measure with: a bridge, clients, an nginx, a stand-in.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PLAIN_BUILD, startBridge } from '../e2e/bridge.mjs';

// Nothing is logged, by nginx neither; and what the tests make quicker is as it is by default.
export const QUIET = { BRIDGE_LOG_LEVEL: 'warn', BRIDGE_HELLO_MS: '2000' };

// Collects what is to be undone, in the way of node's test runner.
class Cleanup {
  passed = false;
  #ends = [];

  after(end) { this.#ends.push(end); }

  async run() {
    const problems = [];
    for (const end of this.#ends.reverse())
      try {
        await end();
      } catch (problem) {
        problems.push(problem);
      }
    if (problems.length)
      throw problems[0];
  }
}

// Runs `use(started, cleanup)` and undoes what it has started.
export async function cleanly(use) {
  const cleanup = new Cleanup();
  try {
    const result = await use(cleanup);
    cleanup.passed = true;
    return result;
  } finally {
    await cleanup.run();
  }
}

// Nothing of ours stays when the bench itself breaks down.
const children = new Set();
process.on('exit', () => children.forEach(child => child.kill()));

export function start(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

export const bridgeFor = (cleanup, { env, ...options }) =>
  startBridge(cleanup, { build: PLAIN_BUILD, ...options, env: { ...QUIET, ...env } });

export function temporaryDirectory(cleanup) {
  const directory = mkdtempSync(join(tmpdir(), 'bridge-bench-'));
  cleanup.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function freePort() {
  return new Promise((done, failed) => {
    const server = net.createServer();
    server.on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

export async function accepts(port) {
  for (let tries = 0; tries < 1000; tries++) {
    const connected = await new Promise(done => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); done(true); });
      socket.on('error', () => done(false));
    });
    if (connected)
      return;
    await new Promise(done => setTimeout(done, 25));
  }
  throw new Error(`nothing listens on ${port}`);
}

// An nginx of our own, with the given `http` section; resolves when the ports accept.
async function startNginx(cleanup, workers, ports, http) {
  const directory = temporaryDirectory(cleanup);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${directory}/${name};`);
  writeFileSync(join(directory, 'nginx.conf'), `
    daemon off; pid ${directory}/pid; worker_processes ${workers};
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 1000000000; ${paths.join(' ')} ${http} }
  `);
  const nginx = start('nginx', ['-p', directory, '-e', join(directory, 'errors'), '-c', join(directory, 'nginx.conf')], {
    stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  const exited = new Promise((done, failed) => nginx.on('exit', done).on('error', failed));
  cleanup.after(async () => { nginx.kill(); await exited; });
  await Promise.race([exited.then(() => { throw new Error('nginx has ended'); }), Promise.all(ports.map(accepts))]);
  return nginx.pid;
}

// A server that answers everything with the same JSON, as fast as can be.
export async function startOrigin(cleanup, json) {
  const port = await freePort();
  await startNginx(cleanup, 1, [port], `
    server { listen 127.0.0.1:${port}; default_type application/json; location / { return 200 '${json}'; } }`);
  return port;
}

// A reverse proxy, as one would put it in front of a model server; one port for each origin.
export async function startProxy(cleanup, origins) {
  const ports = [];
  for (const origin of origins)
    ports.push({ origin, port: await freePort() });
  await startNginx(cleanup, 2, ports.map(({ port }) => port), ports.map(({ origin, port }) => `
    upstream origin${origin} { server 127.0.0.1:${origin}; keepalive 128; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://origin${origin}; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_buffering off; proxy_read_timeout 600s;
      }
    }`).join('\n'));
  return ports.map(({ port }) => port);
}

// A program of ours that prints the URL it answers at.
async function startServer(cleanup, program, ...args) {
  const child = start(process.execPath, [join(import.meta.dirname, program), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanup.after(() => child.kill());
  let output = '';
  for await (const text of child.stdout) {
    output += text;
    if (output.includes('\n'))
      return { url: output.trim() };
  }
  throw new Error(`${program} has ended`);
}

// A stand-in for a vendor, or for that of a CLI, in a process of its own: its work is not to delay the one that
// measures.
export const startVendor = (cleanup, vendor) => startServer(cleanup, '../fakes/vendors.mjs', vendor);
export const startStandIn = (cleanup, cli, ...what) => startServer(cleanup, 'stand-in.mjs', cli, ...what);

// Many clients at once; see load.c.  `body` is what each POSTs; `quiet` if they are expected to fail.
export async function load(directory, port, { body, path = '/v1/chat/completions', quiet = false, ...options }) {
  const file = join(directory, 'body.json');
  writeFileSync(file, JSON.stringify(body));
  const letters = { clients: 'c', requests: 'n', ms: 't', session: 's', mark: 'm' };
  const words = Object.entries(options).flatMap(([name, value]) => [`-${letters[name]}`, `${value}`]);
  const { stdout, stderr } = await promisify(execFile)(join(PLAIN_BUILD, 'bench-load'),
    ['-p', `${port}`, '-u', path, '-b', file, ...words], { maxBuffer: 1 << 26 });
  const result = JSON.parse(stdout);
  if (result.failed && !quiet)
    console.error(`${result.failed} of ${result.failed + result.requests} requests failed:\n${stderr}`);
  return result;
}

export const portOf = url => Number(new URL(url).port);
