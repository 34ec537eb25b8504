// What clients do to a connection, by design or not, and what that costs the others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { PATIENCE, comes, descriptorsOf, isGone, says, startBridge, test, waitFor } from './bridge.mjs';

const CHAT = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
const HEALTH = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';

const chat = (model, fields = {}, headers = '') => {
  const body = JSON.stringify({ model, messages: says('abcdefgh'), ...fields });
  return `${CHAT}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

// A socket that says what it is told: `answer` is all that it has heard.
function connect(bridge, options = {}) {
  const socket = net.connect({ port: Number(new URL(bridge.url).port), host: '127.0.0.1', ...options });
  socket.answer = '';
  socket.on('data', text => { socket.answer += text; });
  socket.on('error', () => {});
  socket.on('close', () => { socket.isOver = true; });
  return socket;
}

async function tells(bridge, bytes, options) {
  const socket = connect(bridge, options);
  socket.write(bytes);
  await waitFor('an answer', () => socket.answer.includes('\r\n\r\n') || socket.isOver);
  return socket;
}

const connectionsOf = async bridge =>
  descriptorsOf(await bridge.pid('gateway')).filter(target => target.startsWith('socket')).length;

test('half a request and a hang-up hold nothing', async t => {
  const bridge = await startBridge(t);
  await bridge.answers('echo', 'hello');
  const before = await connectionsOf(bridge);
  for (let n = 0; n < 300; n++) {
    const socket = connect(bridge);
    socket.end(n % 2 ? 'GET /health HTTP/1.1\r\nHos' : `${CHAT}Content-Length: 60000\r\n\r\n{"model":"echo","x":"${'x'.repeat(n * 100)}`);
  }
  await waitFor('nothing is held', async () => await connectionsOf(bridge) <= before + 1);
  assert.equal((await bridge.get('/health')).status, 200);
});

test('half requests that stay keep nobody out', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_MAX_CONNECTIONS: '200' } });
  const stream = await bridge.streams('echo/chunks:40,delay:50', 'x'.repeat(40)).isConnected();
  const sockets = Array.from({ length: 600 }, () => connect(bridge));
  sockets.forEach(socket => socket.write('GET /health HTTP/1.1\r\nHost:'));
  await waitFor('all have come', () => sockets.every(socket => !socket.connecting));
  for (let n = 0; n < 5; n++)
    assert.equal((await bridge.get('/health')).status, 200);
  await stream.finishes();
  assert.equal(stream.text, 'x'.repeat(40));
  sockets.forEach(socket => socket.destroy());
});

test('who sends no more still gets the answer', async t => {
  const bridge = await startBridge(t);
  const slow = 'echo/chunks:4,delay:100';
  for (const [what, request, end] of [
    ['whole', chat(slow), /"content": ?"abcdefgh"/],
    ['stream', chat(slow, { stream: true }), /\[DONE\]/],
    ['health', HEALTH, /"status"/],
    ['whole, HTTP/1.0', chat(slow).replace('HTTP/1.1', 'HTTP/1.0'), /"content": ?"abcdefgh"/],
    ['stream, HTTP/1.0', chat(slow, { stream: true }).replace('HTTP/1.1', 'HTTP/1.0'), /\[DONE\]/],
  ]) {
    const socket = connect(bridge, { allowHalfOpen: true });
    socket.end(request);
    await waitFor(`the answer ends: ${what}`, () => socket.isOver || end.test(socket.answer));
    assert.match(socket.answer, end, what);
    socket.destroy();
  }
});

test('who has gone is noticed, however quietly', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HEAD_MS: '60000' } });
  for (const fields of [{}, { stream: true }]) {
    const socket = connect(bridge);
    socket.write(chat('echo/silent', fields));
    await waitFor('its CLI is there', () => bridge.clisOf('echo').length);
    socket.destroy();
    await waitFor('its CLI is gone', () => !bridge.clisOf('echo').length);
  }
});

test('what two readers may read differently is refused', async t => {
  const bridge = await startBridge(t);
  await bridge.answers('echo', 'hello', { session_id: 'kept' });
  const hidden = 'DELETE /v1/sessions/kept HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const post = headers => `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}\r\n${hidden}`;
  for (const request of [
    post(`Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n`),
    post(`Content-Length: ${hidden.length}\r\nContent-Length: 0\r\n`),
    post(`Content-Length : ${hidden.length}\r\n`),
    post(`Content-Length: ${hidden.length}, 0\r\n`),
    post('Transfer-Encoding : chunked\r\n'),
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n'),
    post(`Transfer-Encoding: chunked\r\nContent-Length: ${hidden.length}\r\n`),
    post(': x\r\n'),
    post('X: a\0b\r\n'),
    post('X: a\r\n b\r\n'),
    post('X: a\nContent-Length: 0\r\n'),
    post('').replace('Host: localhost', 'Host: [::1]evil.com'),
    post('').replace('Host: localhost', 'Host: localhost\r\nHost: evil.com'),
    post('').replaceAll('\r\n', '\n'),
  ]) {
    const socket = await tells(bridge, request);
    await waitFor('it is over', () => socket.isOver);
    assert.match(socket.answer, /^HTTP\/1.1 400 /, JSON.stringify(request));
    assert.match(socket.answer, /"code":"invalid_value"/);
    assert.equal(socket.answer.match(/^HTTP\/1.1 \d/gm).length, 1, 'one answer');
  }
  assert.ok((await bridge.get('/v1/sessions')).json.data.some(({ id }) => id === 'kept'));
});

test('what is too much of a head is refused at once', async t => {
  const bridge = await startBridge(t);
  for (const request of [
    `GET /v1/models?${'a=b&'.repeat(600)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET /${'x'.repeat(10_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(200)}\r\n`,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
  ]) {
    const socket = await tells(bridge, request);
    assert.match(socket.answer, /^HTTP\/1.1 431 /);
    assert.match(socket.answer, /"code":"headers_too_large"/);
    socket.destroy();
  }
});

test('a chunk that never begins does not keep the gateway busy', async t => {
  const bridge = await startBridge(t);
  const socket = await tells(bridge, `${CHAT}Transfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(60_000)}`);
  assert.match(socket.answer, /^HTTP\/1.1 400 /);
  socket.destroy();
  assert.equal((await bridge.get('/health')).status, 200);
});

test('the second of two requests at once is not lost without a word', async t => {
  const bridge = await startBridge(t);
  const socket = await tells(bridge, chat('echo') + HEALTH);
  await waitFor('it is over', () => socket.isOver);
  assert.match(socket.answer, /^HTTP\/1.1 200 /);
  assert.match(socket.answer, /\r\nConnection: close\r\n/);
});

test('a line end behind a body is no request', async t => {
  const bridge = await startBridge(t);
  const socket = connect(bridge);
  socket.write(`${chat('echo')}\r\n`);
  await waitFor('an answer', () => /abcdefgh/.test(socket.answer));
  socket.destroy();
  const kept = await tells(bridge, `\r\n${HEALTH}`);
  assert.match(kept.answer, /^HTTP\/1.1 200 /);
  kept.destroy();
});

test('all bodies together are bounded, and who comes too late may come again', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_MAX_BODIES_BYTES: '1048576' } });
  const both = [0, 1].map(() => {
    const socket = connect(bridge);
    socket.write(`${CHAT}Content-Length: 900000\r\n\r\n{"model":"echo","x":"${'x'.repeat(600_000)}`);
    return socket;
  });
  const isRefused = socket => /^HTTP\/1.1 429 [^]*retry-after[^]*BRIDGE_MAX_BODIES_BYTES/i.test(socket.answer);
  await waitFor('there is room for one only', () => both.some(isRefused));
  const holder = both.find(socket => !isRefused(socket));
  assert.equal((await bridge.chat('echo', 'small')).status, 200);
  assert.equal(holder.answer, '');
  holder.destroy();
  await waitFor('there is room again', async () => (await bridge.chat('echo', 'x'.repeat(700_000))).status === 200);
});

test('what fails before the first word of a stream has its own status', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HEAD_MS: '60000' } });
  const limited = await bridge.streams('echo/fail:429', 'x').ends();
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers['retry-after']) > 0);
  assert.equal(limited.json.error.code, 'rate_limit_exceeded');
  const crashed = await bridge.streams('echo/crash', 'x').ends();
  assert.equal(crashed.status, 502);
  assert.equal(crashed.headers['x-should-retry'], 'false');
  const fine = await bridge.streams('echo/chunks:3,delay:20', 'abc', { session_id: 'a' }).finishes();
  assert.equal(fine.text, 'abc');
  assert.equal(fine.headers['x-bridge-session'], 'new');
});

test('what fails later says in its event what its status would have been', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HEAD_MS: '100' } });
  const silent = await bridge.streams('echo/silent', 'x').isConnected();
  assert.equal(silent.status, 200);
  silent.leaves();
  const late = await bridge.streams('echo/chunks:3,delay:50,crash_after:2', 'abcdef').ends();
  assert.equal(late.status, 200);
  assert.equal(late.error.code, 'harness_crashed');
  assert.equal(late.error.status, 502);
});

test('a web page that may call can read every refusal', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_ALLOWED_ORIGINS: 'https://app.example', BRIDGE_MAX_BODY_BYTES: '2000' } });
  const origin = 'Origin: https://app.example\r\n';
  for (const [status, request] of [
    [431, `GET / HTTP/1.1\r\nHost: localhost\r\n${origin}X: ${'x'.repeat(40_000)}\r\n\r\n`],
    [413, `${CHAT}${origin}Content-Length: 3000\r\n\r\n${'x'.repeat(3000)}`],
    [413, `${CHAT}${origin}Transfer-Encoding: chunked\r\n\r\nbb8\r\n{"x":"${'x'.repeat(2994)}\r\n`],
    [400, `${CHAT}${origin}Content-Length: 2\r\n\r\n[]`],
  ]) {
    const socket = await tells(bridge, request);
    assert.match(socket.answer, new RegExp(`^HTTP/1.1 ${status} `));
    assert.match(socket.answer, /\r\nAccess-Control-Allow-Origin: https:\/\/app.example\r\n/);
    socket.destroy();
  }
  const other = await tells(bridge, `GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`);
  assert.doesNotMatch(other.answer, /Access-Control/);
  other.destroy();
});

test('off loopback only who has the key sees more of its health than a word', async t => {
  const bridge = await startBridge(t, { waits: false, env: { BRIDGE_HOST: '0.0.0.0', BRIDGE_BEARER: 'a-long-secret' } });
  await waitFor('echo is ready', async () => (await bridge.get('/health')).status === 200);
  const stranger = await bridge.get('/health');
  assert.equal(stranger.status, 200);
  assert.deepEqual(stranger.json, { status: 'ok' });
  const owner = await bridge.get('/health', { headers: { authorization: 'Bearer a-long-secret' } });
  assert.equal(owner.json.backends[0].name, 'echo');
});

// A client on a thread of its own that sends line ends without an end, and reads.  Resolves when its connection is over,
// with what it has heard: writing to a connection that was reset may fail before the answer has been read.
function floods(bridge) {
  const flood = new Worker(`
    const { parentPort } = require('node:worker_threads');
    const socket = require('node:net').connect(${new URL(bridge.url).port}, '127.0.0.1');
    const bytes = Buffer.from('\\r\\n'.repeat(1 << 19));
    const feed = () => { while (socket.write(bytes)); };
    let heard = '';
    socket.on('error', () => {}).on('drain', feed).on('connect', feed);
    socket.on('data', text => { heard += text; }).on('close', () => parentPort.postMessage(heard));
  `, { eval: true });
  return comes('a flood is ended', once(flood, 'message')).then(([heard]) => heard).finally(() => flood.terminate());
}

test('line ends before a head are passed over, but not for ever', async t => {
  const bridge = await startBridge(t);
  const polite = await tells(bridge, `\r\n${HEALTH}`);
  assert.match(polite.answer, /^HTTP\/1.1 200 /);
  polite.destroy();
  const wordless = await tells(bridge, '\r\n'.repeat(1 << 19)); // and then it reads
  assert.match(wordless.answer, /^HTTP\/1.1 400 /);
  wordless.destroy();
  assert.match(await floods(bridge), /^(HTTP\/1.1 400 |$)/);
  assert.equal((await bridge.get('/health')).status, 200);
});

test('a body that comes in many pieces leaves a connection that may be idle', async t => {
  const bridge = await startBridge(t);
  const socket = connect(bridge);
  const request = chat('echo', { user: 'x'.repeat(1 << 20) });
  for (let at = 0; at < request.length; at += 1 << 16) {
    socket.write(request.slice(at, at + (1 << 16)));
    await sleep(5);
  }
  await waitFor('the answer', () => /"usage"/.test(socket.answer));
  socket.answer = '';
  await sleep(16_000); // longer than a head may take
  assert.equal(socket.answer, '', 'nothing is said to who asks nothing');
  socket.write(HEALTH);
  await waitFor('the next answer', () => socket.answer);
  assert.match(socket.answer, /^HTTP\/1.1 200 /);
  socket.destroy();
});

test('a field that is huge makes nobody wait', async t => {
  const bridge = await startBridge(t);
  const huge = '\\u0041'.repeat(1 << 17);
  for (const [fields, status] of [
    [`"model":"echo/${huge}"`, 400],
    [`"model":"echo","session_id":"${huge}"`, 400],
    [`"model":"echo","stream_options":{"x":["${huge}"]}`, 400],
    [`"model":"echo","${huge}":1`, 200],
  ]) {
    const body = `{${fields},"messages":[{"role":"user","content":"hi"}]}`;
    const socket = await tells(bridge, `${CHAT}Content-Length: ${body.length}\r\n\r\n${body}`);
    assert.match(socket.answer, new RegExp(`^HTTP/1.1 ${status} `), fields.slice(0, 40));
    if (status === 400)
      assert.match(socket.answer, /bytes; at most 65536 are allowed/);
    socket.destroy();
  }
});

test('who is refused and does not go on keeps nobody out', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_MAX_CONNECTIONS: '100', BRIDGE_BEARER: 'a-secret-of-enough-length' } });
  const sockets = Array.from({ length: 130 }, () => connect(bridge));
  sockets.forEach(socket => socket.write(`${CHAT}Content-Length: 1000\r\n\r\n`));
  await waitFor('the first ones make room', () => sockets.some(socket => socket.isOver));
  const health = await tells(bridge, HEALTH);
  assert.match(health.answer, /^HTTP\/1.1 200 /);
  [...sockets, health].forEach(socket => socket.destroy());
});
