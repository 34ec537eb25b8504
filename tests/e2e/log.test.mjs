// Whoever reads the log may be slow, stopped or gone: nothing waits for it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BUILD, comes, onThisMachine, startBridge, test, waitFor } from './bridge.mjs';

const TERMINAL = join(BUILD, 'test-terminal');
const AT_ONCE = onThisMachine(5000); // what waits for a reader waits for ever

// Says a lot, so that everything which can be full is full soon.
const DEBUG = { BRIDGE_LOG_LEVEL: 'debug', BRIDGE_HELLO_MS: '100' };

// A pipe that nobody reads, full to the last byte.
function fullPipe(t) {
  const path = join(tmpdir(), `full-${process.pid}-${Math.random()}`);
  execFileSync('mkfifo', [path]);
  const ours = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const theirs = openSync(path, constants.O_RDWR);
  t.after(() => { closeSync(ours); closeSync(theirs); execFileSync('rm', ['-f', path]); });
  for (const size of [65536, 4096, 1]) {
    try {
      for (;;)
        writeSync(ours, Buffer.alloc(size, 'x'));
    } catch (problem) {
      assert.equal(problem.code, 'EAGAIN');
    }
  }
  const read = () => {
    const bytes = Buffer.alloc(1 << 20);
    try {
      return bytes.subarray(0, readSync(ours, bytes)).toString();
    } catch {
      return '';
    }
  };
  return { fd: theirs, read };
}

async function freePort() {
  const server = createServer();
  await comes('a port to listen at', new Promise(done => server.listen(0, '127.0.0.1', done)));
  const { port } = server.address();
  await comes('the port is free again', new Promise(done => server.close(done)));
  return port;
}

async function works(bridge) {
  for (let n = 0; n < 20; n++) {
    assert.equal((await bridge.get('/health')).status, 200);
    await bridge.answers('echo', 'hi');
  }
  await bridge.pid('echo');
}

test('a log that nobody reads stops nobody', async t => {
  const pipe = fullPipe(t);
  const bridge = await startBridge(t, { env: DEBUG, stdio: ['ignore', 'pipe', pipe.fd] });
  await works(bridge);

  await t.test('and says later how many lines are missing', async () => {
    let log = '';
    await waitFor('it is said', async () => {
      log += pipe.read();
      return /warn supervisor: \d+ lines could not be written before this one/.test(log);
    });
    await waitFor('by all of them', async () => {
      log += pipe.read();
      return ['gateway', 'worker.echo'].every(who => log.includes(`warn ${who}: `));
    });
  });

  await t.test('SIGTERM ends it', async () => {
    await works(bridge);
    assert.deepEqual(await bridge.stops(), { code: 0, signal: null });
  });
});

test('a standard output that nobody reads does not stop the start', async t => {
  const pipe = fullPipe(t);
  const port = await freePort();
  const bridge = await startBridge(t, { env: { BRIDGE_PORT: String(port) }, stdio: ['ignore', pipe.fd, 'pipe'], waits: false, ready: /ready at \S+, which could not be written/ });
  bridge.url = `http://127.0.0.1:${port}`;
  await bridge.isReady();
  await works(bridge);
});

test('nor does a full pipe keep a failure from ending it', async t => {
  const pipe = fullPipe(t);
  await startBridge(t, { env: { BRIDGE_PORT: 'none' }, stdio: ['ignore', 'pipe', pipe.fd], waits: false, exit: { code: 78, signal: null } });
});

test('a terminal that is stopped stops nobody', async t => {
  const bridge = await startBridge(t, { env: DEBUG, within: [TERMINAL], stdio: ['pipe', 'pipe', 'pipe'] });
  bridge.daemon.stdin.write('stop\n');
  const begun = performance.now();
  await works(bridge);
  bridge.daemon.stdin.write('go\n');
  await waitFor('it is said what is missing', () => /\d+ lines? could not be written/.test(bridge.output));

  await t.test('and SIGTERM ends it, stopped as it is', async () => {
    bridge.daemon.stdin.write('stop\n');
    await works(bridge);
    bridge.daemon.kill('SIGTERM');
    await waitFor('it ends', () => bridge.exit, AT_ONCE + performance.now() - begun);
    assert.deepEqual(bridge.exit, { code: 0, signal: null });
  });
});

test('a default start is quiet, and a clean stop is silent', async t => {
  const bridge = await startBridge(t, { backends: ['echo', 'claude', 'codex', 'gemini', 'passthrough'], waits: false, env: { CLAUDE_BIN: '/none', CODEX_BIN: '/none', GEMINI_BIN: '/none' } });
  await bridge.isReady('echo');
  await bridge.answers('echo', 'hi');
  const before = bridge.log.split('\n');
  assert.ok(before.findIndex(line => line.includes(' gateway: req_')) < 4, bridge.log);
  await bridge.stops();
  const lines = bridge.log.split('\n').slice(before.length - 1);
  assert.deepEqual(lines.filter(line => / (warn|error) /.test(line)), []);
  const ofTheStop = lines.filter(line => !/ (req_|turn )/.test(line)); // a request's last line may come late
  assert.ok(ofTheStop.length < 4, lines.join('\n'));
});

test('what a client says can not command the terminal', async t => {
  const bridge = await startBridge(t, { env: DEBUG });
  await bridge.request('GET', '/health', { headers: { host: 'evil' } });
  const { hostname, port } = new URL(bridge.url);
  const socket = connect(Number(port), hostname, () => socket.write('G\x1b]0;owned\x07T /\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n'));
  socket.on('error', () => {});
  await comes('an answer, or a refusal', new Promise(done => { socket.once('data', done); socket.once('close', done); }));
  socket.destroy();
  await bridge.answers('echo', 'hi');
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(bridge.log, /[\x00-\x08\x0b-\x1f\x7f]/);
});
