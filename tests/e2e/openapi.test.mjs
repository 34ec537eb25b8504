// What the bridge answers is what OpenAI's own description of its API says.  Whole answers are read by Prism, a
// proxy that lets nothing through that differs from a description; Prism can't read streams of events, so each
// of their chunks is compared with its schema.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';

import Ajv from 'ajv/dist/2020.js';

import { startAnthropic, startOpenAI } from '../fakes/vendors.mjs';
import { claudeEnv, comes, says, startBridge, test, waitFor } from './bridge.mjs';

const DOCUMENT = join(import.meta.dirname, '../data/openai/openapi.json');
const PRISM = join(import.meta.dirname, '../node_modules/@stoplight/prism-cli/dist/index.js');

const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(DOCUMENT)), 'openai');

function fits(schema, value) {
  const check = ajv.getSchema(`openai#/components/schemas/${schema}`);
  assert.ok(check(value), `${schema}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(value)}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await comes('a free port', once(server, 'listening'));
  const { port } = server.address();
  server.close();
  await comes('the port is free again', once(server, 'close'));
  return port;
}

// Its URL.  It is in front of `upstream`, and answers with 500 and its reasons whatever is not as described.
async function startPrism(t, upstream) {
  const port = await freePort();
  const prism = spawn(process.execPath, [PRISM, 'proxy', '--errors', '-p', String(port), DOCUMENT, upstream], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  prism.stdout.on('data', text => { said += text; });
  prism.stderr.on('data', text => { said += text; });
  t.after(async () => {
    if (prism.exitCode === null && prism.kill())
      await comes('Prism ends', once(prism, 'exit'));
  });
  await waitFor('Prism listens', () => {
    assert.equal(prism.exitCode, null, said);
    return said.includes('Prism is listening');
  });
  return `http://127.0.0.1:${port}`;
}

// Asks through Prism, which has not objected if this returns.
async function ask(bridge, prism, method, path, body) {
  const answer = await bridge.request(method, path, { url: prism, body });
  assert.doesNotMatch(answer.headers['content-type'], /problem/, answer.text);
  return answer;
}

test('Prism refuses what is not as described', async t => {
  const choice = { index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' };
  const vendor = http.createServer((request, response) => response.setHeader('content-type', 'application/json')
    .end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 0, model: 'm', choices: [choice] })));
  vendor.listen(0, '127.0.0.1');
  t.after(() => { vendor.closeAllConnections(); vendor.close(); });
  await comes('the vendor listens', once(vendor, 'listening'));
  const prism = await startPrism(t, `http://127.0.0.1:${vendor.address().port}`);
  const answer = await comes('the answer of Prism', fetch(`${prism}/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json', connection: 'close' }, body: JSON.stringify({ model: 'm', messages: says('hi') }),
  }));

  assert.equal(answer.status, 500);
  assert.match(await comes('its end', answer.text()), /logprobs/);
  assert.throws(() => fits('CreateChatCompletionStreamResponse', { id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm' }), /choices/);
});

test('whole answers and errors are as OpenAI describes them', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });
  const prism = await startPrism(t, `${bridge.url}/v1`);
  const complete = (model, fields = {}) => ask(bridge, prism, 'POST', '/chat/completions', { model, messages: says('hello'), ...fields });

  await t.test('answers', async () => {
    for (const [model, fields] of [['echo', {}], ['echo/think,tool', { session_id: 'a' }], ['echo/chunks:3', { temperature: 1, tools: [], stream: false }]]) {
      const answer = await complete(model, fields);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.choices[0].message.content, 'hello');
    }
  });

  await t.test('models', async () => {
    const list = await ask(bridge, prism, 'GET', '/models');
    assert.deepEqual(list.json.data.map(({ id }) => id), ['echo/echo']);
    for (const id of ['echo%2Fecho', 'echo'])
      assert.equal((await ask(bridge, prism, 'GET', `/models/${id}`)).status, 200);
  });

  await t.test('errors', async () => {
    for (const [model, status] of [['nobody/x', 404], ['echo/fail:400', 400], ['echo/fail:401', 401], ['echo/fail:429', 429], ['echo/fail:503', 503], ['echo/crash', 502]]) {
      const answer = await complete(model);
      assert.equal(answer.status, status, answer.text);
      fits('ErrorResponse', answer.json);
    }
    for (const [method, path] of [['GET', '/nothing'], ['GET', '/v1/chat/completions'], ['GET', '/v1/models/nobody']])
      fits('ErrorResponse', (await bridge.request(method, path)).json);
  });
});

test('every chunk of a stream is as OpenAI describes it', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });

  for (const [model, fields] of [['echo', {}], ['echo/think,tool,chunks:3', { session_id: 'a', stream_options: { include_usage: true } }]]) {
    const client = await bridge.streams(model, 'hello', fields).finishes();
    assert.equal(client.text, 'hello');
    client.chunks.forEach(chunk => fits('CreateChatCompletionStreamResponse', chunk));
  }
  const broken = bridge.streams('echo/truncate_after:1', 'some words to break off in');
  await broken.fails('answer_truncated');
  broken.chunks.forEach(chunk => fits(chunk.error ? 'ErrorResponse' : 'CreateChatCompletionStreamResponse', chunk));
});

test('a coding CLI answers as OpenAI describes it', async t => {
  const cloud = await startAnthropic();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['claude'], env: claudeEnv(cloud) });
  const prism = await startPrism(t, `${bridge.url}/v1`);
  const body = { model: 'claude', messages: says('hello'), session_id: 's' };

  cloud.next({ thinking: 'let me think', text: 'done' });
  const answer = await ask(bridge, prism, 'POST', '/chat/completions', body);
  assert.deepEqual([answer.status, answer.json.choices[0].message.reasoning], [200, 'let me think']);
  const client = await bridge.streams('claude', says('hello', 'done', 'again'), { session_id: 's', stream_options: { include_usage: true } }).finishes();
  client.chunks.forEach(chunk => fits('CreateChatCompletionStreamResponse', chunk));
  assert.equal((await ask(bridge, prism, 'GET', '/models')).status, 200);
});

test('a vendor\'s embeddings and models are as OpenAI describes them', async t => {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['passthrough'], env: { BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1`, BRIDGE_PROVIDER_ACME_API_KEY: 'k' } });
  const prism = await startPrism(t, `${bridge.url}/v1`);

  assert.equal((await ask(bridge, prism, 'POST', '/embeddings', { model: 'acme/fake-embed', input: ['a', 'b'] })).status, 200);
  await waitFor('its models are listed', async () => (await ask(bridge, prism, 'GET', '/models')).json.data.length > 0);
});
