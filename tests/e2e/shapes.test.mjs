// What clients really send, in all its shapes: nothing of it may be refused, and nothing be lost without a word.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { says, startBridge } from './bridge.mjs';

const directory = join(import.meta.dirname, '../data/conversation');
const shapes = readdirSync(directory).map(file => ({ file, ...JSON.parse(readFileSync(join(directory, file))) }));

const hello = { model: 'echo', messages: says('hello') };

const textOf = part => part.text ?? '';

test('whatever clients send is answered', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });

  for (const { file, about, body, messages, ignored } of shapes)
    await t.test(`${file}: ${about}`, async () => {
      const answer = await bridge.post('/v1/chat/completions', { ...body, stream: false, stream_options: undefined });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.choices[0].message.content, messages.at(-1).content.map(textOf).join(''));
      assert.equal(answer.headers['x-bridge-ignored'] ?? '', ignored);
    });
});

// What one says in a raw request, and hears until the other side ends the connection.
async function exchange(url, text) {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  let heard = '';
  socket.setEncoding('utf8').on('data', piece => { heard += piece; });
  socket.write(text);
  await once(socket, 'close');
  return heard;
}

test('who asks for a stream gets one, and nobody else', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });
  const typeOf = async (accept, fields = {}) => {
    const answer = await bridge.post('/v1/chat/completions', { ...hello, ...fields }, { accept });
    assert.equal(answer.status, 200, answer.text);
    return answer.headers['content-type'];
  };

  for (const accept of ['application/json, text/event-stream', 'text/event-stream, */*', '*/*', 'text/event-stream;q=0.5, application/json'])
    assert.match(await typeOf(accept), /^application\/json/, accept);
  for (const accept of ['text/event-stream', 'text/event-stream, application/json;q=0.9'])
    assert.match(await typeOf(accept), /^text\/event-stream/, accept);
  assert.match(await typeOf('application/json', { stream: true }), /^text\/event-stream/);
  assert.match(await typeOf('text/event-stream', { stream: false }), /^application\/json/);
});

test('session and cwd may be said in headers, and an empty one says nothing', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });
  const ask = (fields, headers) => bridge.post('/v1/chat/completions', { ...hello, ...fields }, headers);
  const sessions = async () => (await bridge.get('/v1/sessions')).json.data;

  assert.equal((await ask({ session_id: '', cwd: '' }, { 'x-session-id': '', 'x-resume': '', 'x-cwd': '' })).status, 200);
  assert.deepEqual(await sessions(), []);
  assert.equal((await ask({ session_id: '' }, { 'x-session-id': 's', 'x-cwd': bridge.directory })).headers['x-session-id'], 's');
  assert.equal((await sessions())[0].cwd, bridge.directory);
  assert.equal((await ask({ cwd: bridge.directory }, { 'x-cwd': bridge.directory })).status, 200);

  for (const [fields, headers, code, param] of [
    [{ cwd: bridge.directory }, { 'x-cwd': '/' }, 'invalid_value', 'X-Cwd'],
    [{ session_id: 'a' }, { 'x-session-id': 'b' }, 'invalid_value', 'X-Session-Id'],
    [{}, { 'x-cwd': 'relative' }, 'invalid_cwd', 'X-Cwd'],
    [{ cwd: `/${'x'.repeat(5000)}` }, {}, 'invalid_cwd', 'cwd'],
  ]) {
    const answer = await ask(fields, headers);
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual([answer.json.error.code, answer.json.error.param], [code, param], answer.text);
  }
});

test('a key may come in either header, and a wrong one in neither', async t => {
  const bridge = await startBridge(t, { backends: ['echo'], env: { BRIDGE_BEARER: 'a-secret-of-the-tests' } });
  const status = async headers => (await bridge.get('/v1/models', { headers })).status;
  const [right, wrong] = ['a-secret-of-the-tests', 'another-secret-altogether'];

  assert.equal(await status({ 'x-api-key': right }), 200);
  assert.equal(await status({ authorization: `Bearer ${right}` }), 200);
  assert.equal(await status({ authorization: `Bearer ${right}`, 'x-api-key': right }), 200);
  assert.equal(await status({ authorization: `Bearer ${right}`, 'x-api-key': '' }), 200);
  assert.equal(await status({}), 401);
  assert.equal(await status({ 'x-api-key': wrong }), 401);
  assert.equal(await status({ authorization: `Bearer ${right}`, 'x-api-key': wrong }), 401);
  assert.equal(await status({ authorization: `Bearer ${wrong}`, 'x-api-key': right }), 401);
});

test('targets in the shapes that clients and proxies send are answered', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });

  for (const path of ['/', '/v1', '/v1/'])
    assert.equal((await bridge.get(path)).json.name, 'cli-bridge', path);
  for (const target of ['//v1/models', '/v1//models', `${bridge.url}/v1/models`, `${bridge.url}//v1/models?x=1`])
    assert.match(await exchange(bridge.url, `GET ${target} HTTP/1.1\r\nHost: ${new URL(bridge.url).host}\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1.1 200 [^]*"object":"list"/, target);
  assert.match(await exchange(bridge.url, 'GET /health HTTP/1.0\r\n\r\n'), /^HTTP\/1\.[01] 200 /);
});
