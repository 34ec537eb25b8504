// What clients really send, in all its shapes: nothing of it may be refused, and nothing be lost without a word.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';

import { startAnthropic } from '../fakes/vendors.mjs';
import { claudeEnv, comes, says, startBridge, test } from './bridge.mjs';

const directory = join(import.meta.dirname, '../data/conversation');
const shapes = readdirSync(directory).map(file => ({ file, ...JSON.parse(readFileSync(join(directory, file))) }));

const hello = { model: 'echo', messages: says('hello') };

// What is noted for a harness that can do nothing, and echo can; and the reverse.
const ECHO_TAKES = ['messages.content.image_url.detail'];
const echoIgnores = ({ tools, tool_choice, parallel_tool_calls }) => [
  ...tools?.length && tools.every(({ type }) => type === 'function') ? ['tools'] : [],
  ...(tools ?? []).flatMap(({ type }, i) => type === 'function' ? [] : [`tools.${i}`]),
  ...tool_choice && tool_choice !== 'auto' ? ['tool_choice'] : [],
  ...parallel_tool_calls === false ? ['parallel_tool_calls'] : [],
];

const textOf = part => part.text ?? '';

test('whatever clients send is answered', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });

  for (const { file, about, body, messages, ignored } of shapes)
    await t.test(`${file}: ${about}`, async () => {
      const answer = await bridge.post('/v1/chat/completions', { ...body, stream: false, stream_options: undefined });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.choices[0].message.content, messages.at(-1).content.map(textOf).join(''));
      const names = [...ignored.split(', ').filter(name => name && !ECHO_TAKES.includes(name)), ...echoIgnores(body)];
      assert.deepEqual((answer.headers['x-bridge-ignored']?.split(', ') ?? []).sort(), names.sort());
    });
});

test('half a character costs no more than itself', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });
  const cut = 'a face \u{1f600}'.slice(0, -1);

  assert.equal((await bridge.answers('echo', says(cut, cut, `${cut}!`))).content, 'a face \ufffd!');
});

test('an answer that the session has given itself is continued where it was given', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });
  const session = { session_id: 's' };
  const first = await bridge.answers('echo', 'hello', session);
  const second = await bridge.answers('echo', says('hello', first.content), session);
  const other = await bridge.answers('echo', says('hello', 'what another has said'), session);

  assert.match(second.content, /^Go on from exactly where/);
  assert.equal(second.headers['x-bridge-session'], 'resumed');
  assert.equal(other.json.bridge.session.how, 'replayed', 'the words of another are not its own');
});

// What one says in a raw request, and hears until the other side ends the connection.
async function exchange(url, text) {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  let heard = '';
  socket.setEncoding('utf8').on('data', piece => { heard += piece; });
  socket.write(text);
  await comes('the connection ends', once(socket, 'close'));
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

test('a real CLI\'s vendor hears every shape', async t => {
  const cloud = await startAnthropic();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['claude'], env: claudeEnv(cloud) });

  // What the vendor was told, without what Claude Code itself puts in between.
  const heard = async body => {
    const answer = await bridge.post('/v1/chat/completions', { ...body, model: 'claude', stream: false, stream_options: undefined });
    assert.equal(answer.status, 200, answer.text);
    const { messages, system } = cloud.requests.at(-1).body;
    const said = messages.filter(({ role }) => role !== 'system').map(({ role, content }) => [role, ...[content].flat()
      .map(part => part.text ?? part).filter(part => typeof part !== 'string' || !part.startsWith('<system-reminder>'))]);
    return { said, all: JSON.stringify([messages, system]) };
  };
  const shape = name => shapes.find(({ file }) => file === `${name}.json`);

  await t.test('an answer that the client has begun', async () => {
    const { said, all } = await heard(shape('prefill').body);
    assert.deepEqual(said.map(([role]) => role), ['user', 'assistant', 'user']);
    assert.match(said[1][1], /^\{"a":/);
    assert.match(said[2][1], /^Go on from exactly where/);
    assert.ok(all.includes('JSON only.'));
  });

  await t.test('instructions alone', async () => {
    const { said } = await heard(shape('system-only').body);
    assert.deepEqual(said, [['user', 'Write a title.']]);
  });

  await t.test('custom tools', async () => {
    const { said } = await heard(shape('tools-custom').body);
    const parts = said.flat().filter(part => typeof part !== 'string');
    assert.deepEqual(parts.filter(({ type }) => type === 'tool_use').map(({ id, name, input }) => [id, name, input]),
      [['c1', 'apply_patch', { arguments: '*** Begin' }], ['c2', 'apply_patch', { arguments: '*** End' }]]);
    assert.deepEqual(parts.filter(({ type }) => type === 'tool_result').map(part => part.tool_use_id), ['c1', 'c2']);
  });

  await t.test('an image in a result', async () => {
    const { said } = await heard(shape('tools-image').body);
    const parts = said.flat().filter(part => typeof part !== 'string');
    assert.ok(parts.some(({ type }) => type === 'tool_result'));
    assert.match(JSON.stringify(parts), /"type":"image"/);
  });

  await t.test('all of what real clients send', async () => {
    for (const { file, body } of shapes.filter(({ file }) => file.startsWith('client-'))) {
      const { said } = await heard(body);
      assert.equal(said.at(-1)[0], 'user', file);
    }
  });
});
