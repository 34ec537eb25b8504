// A Docker engine for tests: the one that scripts/engine finds or starts, or one of a test's own that may come and go.
//
//   const engine = await theEngine();                  null: there is none, and whyNoEngine says so
//   const own = await ownEngine(t);                    another one, not started yet
//   await own.starts(); await own.dies(); own.hangs(); own.goesOn();
//   const proxy = await between(t, engine);            passes everything on, but for what its rules say
//   proxy.rules.push(({ method, path }) => path.endsWith('/start') && { status: 500, message: 'no' });
//
//   await engine.containers()                          all that there are
//   await engine.ask('POST', `/containers/${id}/kill`)
//
// Of an engine that cannot be had scripts/engine decides whether the tests are skipped or fail.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync,
} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { comes, waitFor } from './bridge.mjs';

const root = resolve(import.meta.dirname, '../..');
const script = join(root, 'scripts/engine');
const run = promisify(execFile);

const NONE_HERE = 77; // exit code of scripts/engine: it is no failure

export class Engine {
  constructor(host) { this.host = host; }
  get socket() { return this.host.replace(/^unix:\/\//, ''); }

  // { status, json, text }; `body` is JSON, or a stream of a tar archive.
  ask(method, path, body) {
    const isStream = typeof body?.pipe === 'function';
    return comes(`the engine answers ${method} ${path}`, new Promise((done, failed) => {
      const request = http.request({
        socketPath: this.socket, method, path, agent: false,
        headers: body ? { 'content-type': isStream ? 'application/x-tar' : 'application/json' } : {},
      }, async response => {
        let text = '';
        for await (const piece of response.setEncoding('utf8'))
          text += piece;
        let json;
        try {
          json = JSON.parse(text);
        } catch { /* it is none */ }
        done({ status: response.statusCode, text, json });
      });
      request.on('error', failed);
      if (isStream)
        body.pipe(request);
      else
        request.end(body && JSON.stringify(body));
    }));
  }

  async does(method, path, body) {
    const answer = await this.ask(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
    return answer.json;
  }

  // As docker ps -a, with bare names.
  async containers() {
    const all = await this.does('GET', '/containers/json?all=1');
    return all.map(c => ({ id: c.Id, name: c.Names[0].slice(1), labels: c.Labels, state: c.State }));
  }

  // Those that a bridge has made, or that have its names.
  async containersOf(prefix) { return (await this.containers()).filter(({ name }) => name.startsWith(`${prefix}-`)); }

  kill(name) { return this.does('POST', `/containers/${name}/kill`); }
  remove(name) { return this.ask('DELETE', `/containers/${name}?force=1&v=1`); }
  look(name) { return this.does('GET', `/containers/${name}/json`); }

  // A container of somebody else's, which does nothing.
  async makeForeign(t, name, image, labels = {}) {
    await this.remove(name);
    const { Id } = await this.does('POST', `/containers/create?name=${name}`, {
      Image: image, Entrypoint: ['sleep', '100000'], Labels: labels, HostConfig: { NetworkMode: 'none' },
    });
    await this.does('POST', `/containers/${Id}/start`);
    t.after(() => this.remove(Id));
    return Id;
  }

  // An image of a few programs: busybox, node, and the fake agent as `acp`.
  async hasSmallImage() {
    const name = `${SMALL_IMAGE}:${tagOfSmallImage()}`;
    if ((await this.ask('GET', `/images/${name}/json`)).status === 200)
      return name;
    const tree = makeSmallTree();
    try {
      const tar = spawn('tar', ['-C', tree, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const change = encodeURIComponent('ENV PATH=/bin');
      await this.does('POST', `/images/create?fromSrc=-&repo=${SMALL_IMAGE}&tag=${name.split(':')[1]}&changes=${change}`, tar.stdout);
    } finally {
      rmSync(tree, { recursive: true, force: true });
    }
    return name;
  }
}

const SMALL_IMAGE = 'cli-bridge-test-small';
const AGENT = ['acp', 'acp.mjs'].map(name => join(root, 'tests/fakes', name));

// Another agent is another image.
function tagOfSmallImage() {
  const hash = createHash('sha256').update(process.version);
  AGENT.forEach(path => hash.update(readFileSync(path)));
  return hash.digest('hex').slice(0, 12);
}

function makeSmallTree() {
  const tree = mkdtempSync('/var/tmp/image-');
  const put = (from, to) => {
    mkdirSync(dirname(join(tree, to)), { recursive: true });
    copyFileSync(from, join(tree, to));
    chmodSync(join(tree, to), 0o755);
  };
  chmodSync(tree, 0o755);
  ['tmp', 'proc', 'sys', 'dev', 'etc'].forEach(name => mkdirSync(join(tree, name)));
  put('/bin/busybox', 'bin/busybox');
  for (const name of execFileSync('/bin/busybox', ['--list']).toString().split('\n').filter(name => name && name !== 'busybox'))
    symlinkSync('busybox', join(tree, 'bin', name));
  put(process.execPath, 'bin/node');
  for (const [, library] of execFileSync('ldd', [process.execPath]).toString().matchAll(/(\/\S+) \(0x/g))
    put(library, library);
  AGENT.forEach(path => put(path, `bin/${basename(path)}`));
  return tree;
}

// ---- the engine that all tests share ----

export let whyNoEngine;

// It holds the engine until this process has ended, so what it says then has to go somewhere else.
async function hold() {
  const complaints = `/tmp/engine-of-${process.pid}`;
  const file = openSync(complaints, 'w');
  const holder = spawn(script, ['hold', String(process.pid)], { stdio: ['ignore', 'pipe', file], detached: true });
  let said = '';
  const code = await comes('an engine', new Promise(done => {
    holder.stdout.on('data', text => (said += text).includes('\n') && done(null));
    holder.on('close', done);
  }));
  const complained = readFileSync(complaints, 'utf8').trim();
  closeSync(file);
  rmSync(complaints);
  [holder, holder.stdout].forEach(one => one.unref());
  if (code === null)
    return new Engine(said.trim());
  assert.equal(code, NONE_HERE, complained);
  whyNoEngine = complained.split('\n').at(-1);
  console.error(`SKIPPED, EVERYTHING ABOUT CONTAINERS: ${whyNoEngine}`);
  return null;
}

let held;
export const theEngine = () => held ??= hold();

// ---- one that may come and go ----

class OwnEngine extends Engine {
  constructor(directory) {
    super(`unix://${directory}/docker.sock`);
    this.directory = directory;
    this.env = { ...process.env, ENGINE_DIR: directory, ENGINE_ALONE: 'yes', DOCKER_HOST: '' };
  }

  get pid() { return Number(readFileSync(join(this.directory, 'dockerd.pid'), 'utf8')); }

  async starts() { await run(script, ['start'], { env: this.env }); }

  signals(signal) { process.kill(this.pid, signal); }

  // All of it is gone, as if the machine's service manager had seen to it.
  async ends(signal) {
    const pid = this.pid;
    process.kill(pid, signal);
    await waitFor('the engine is gone', () => !existsSync(`/proc/${pid}`));
  }

  async isStopped() {
    if (existsSync(join(this.directory, 'dockerd.pid')))
      try {
        this.signals('SIGCONT');
      } catch (problem) {
        assert.equal(problem.code, 'ESRCH');
      }
    await run(script, ['stop'], { env: this.env });
  }
}

export async function ownEngine(t) {
  const engine = new OwnEngine(mkdtempSync('/tmp/own-engine-'));
  t.after(() => engine.isStopped());
  return engine;
}

// ---- somebody in between ----

// Each rule may return, for { method, path, isUpgrade }, what is to become of a request, or nothing:
//   { status, message }     an answer of that kind
//   { stall: true }         none at all
//   { cutAfter: n }         of an upgraded stream: the connection is cut after so many bytes of the engine's frames
//   { cut: promise }        of an upgraded stream: it is cut then
class Proxy extends Engine {
  rules = [];
  seen = [];
  #sockets = new Set();

  constructor(engine, directory) {
    super(`unix://${directory}/docker.sock`);
    this.engine = engine;
    this.server = http.createServer((request, response) => this.#passOn(request, response));
    this.server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.server.on('connection', socket => this.#keep(socket));
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  #ruleFor({ method, url, headers }) {
    const asked = { method, path: url.replace(/^\/v[\d.]+/, '').split('?')[0], isUpgrade: 'upgrade' in headers };
    this.seen.push(asked);
    for (const rule of this.rules) {
      const what = rule(asked);
      if (what)
        return what;
    }
    return {};
  }

  async #passOn(request, response) {
    const what = this.#ruleFor(request);
    if (what.stall)
      return;
    if (what.status) {
      response.writeHead(what.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: what.message }));
      return;
    }
    const { method, url, headers } = request;
    const pieces = [];
    for await (const piece of request)
      pieces.push(piece);
    const onward = http.request({ socketPath: this.engine.socket, method, path: url, headers, agent: false }, answer => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(Buffer.concat(pieces)); // in one piece: the engine may hang up as soon as it has answered
  }

  // A stream is passed on as it comes; the engine's answer to the upgrade is no part of what is counted.
  #upgrade(request, socket, head) {
    const what = this.#ruleFor(request);
    if (what.stall)
      return;
    if (what.status) {
      const text = JSON.stringify({ message: what.message });
      socket.end(`HTTP/1.1 ${what.status} No\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      return;
    }
    const onward = net.connect({ path: this.engine.socket, allowHalfOpen: true });
    this.#keep(onward);
    socket.allowHalfOpen = true;
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let n = 0; n < request.rawHeaders.length; n += 2)
      lines.push(`${request.rawHeaders[n]}: ${request.rawHeaders[n + 1]}`);
    onward.write(`${lines.join('\r\n')}\r\n\r\n`);
    onward.write(head);
    socket.pipe(onward);
    const cut = () => { socket.destroy(); onward.destroy(); };
    what.cut?.then(cut);
    if (what.cutAfter === undefined)
      return void onward.pipe(socket);
    let answer = Buffer.alloc(0), left = what.cutAfter;
    onward.on('data', piece => {
      let body = piece;
      if (answer) {
        answer = Buffer.concat([answer, piece]);
        const end = answer.indexOf('\r\n\r\n');
        if (end < 0)
          return;
        socket.write(answer.subarray(0, end + 4));
        body = answer.subarray(end + 4);
        answer = null;
      }
      socket.write(body.subarray(0, left), () => left <= 0 && (socket.end(), onward.destroy()));
      left -= body.length;
    });
  }

  close() {
    this.#sockets.forEach(socket => socket.destroy());
    return new Promise(done => this.server.close(done));
  }
}

export async function between(t, engine) {
  const directory = mkdtempSync('/tmp/between-');
  const proxy = new Proxy(engine, directory);
  await new Promise(done => proxy.server.listen(proxy.socket, done));
  t.after(async () => {
    await proxy.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return proxy;
}
