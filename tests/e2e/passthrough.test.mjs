// A vendor's API through the bridge: as if the bridge were not there.
import assert from 'node:assert/strict';
import http from 'node:http';

import { startOpenAI } from '../fakes/vendors.mjs';
import { comes, isGone, says, startBridge, test, waitFor } from './bridge.mjs';

// Every byte of an answer, headers as they came, and when its pieces came.
function relayed(url, path, body, headers = {}) {
  return comes(`the answer of ${path} ends`, new Promise((done, failed) => {
    const request = http.request(new URL(path, url), { method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } }, response => {
      const pieces = [];
      response.on('data', piece => pieces.push(piece));
      response.on('error', () => {});
      response.on('close', () => done({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(pieces), isWhole: response.complete }));
    });
    request.on('error', failed);
    request.end(body);
  }));
}

async function start(t, env = {}) {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['passthrough'],
    env: { OPENAI_API_KEY: 'sk-loopback', BRIDGE_PROVIDER_OPENAI_BASE_URL: `${cloud.url}/v1`,
      BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1`, BRIDGE_PROVIDER_ACME_API_KEY: 'acme-key',
      BRIDGE_PROVIDER_LOCAL_BASE_URL: `${cloud.url}/v1`, ...env },
  });
  return { cloud, bridge, direct: (...args) => relayed(cloud.url, '/v1/chat/completions', ...args), through: (...args) => relayed(bridge.url, '/v1/chat/completions', ...args) };
}

// A serial number is all in which two answers of the stand-in may differ.
const unnumbered = bytes => bytes.toString().replace(/"id":"chatcmpl-\d+"/g, '"id":"chatcmpl-N"');

test('a vendor is relayed verbatim', async t => {
  const { cloud, bridge, direct, through } = await start(t);
  const asked = () => cloud.requests.findLast(({ method }) => method === 'POST'); // it also asks for models

  await t.test('the body arrives byte for byte, but for the model\'s name', async () => {
    const rest = ',"x" : [1.0, 1e3, "\\u00fc\\/"],\n "messages": [ {"role":"user","content":"hi"} ], "unknown":{"a":null}, "big":12345678901234567890 }';
    await through(`{ "model" : "openai/fake-large"${rest}`);
    assert.equal(asked().raw.toString(), `{ "model" : "fake-large"${rest}`);
    await through(`{"messages":[{"role":"user","content":"the \\"model\\":\\"openai/x\\" of it"}],"model":"acme\\/some/model"}`);
    assert.equal(asked().body.model, 'some/model');
    assert.equal(asked().body.messages[0].content, 'the "model":"openai/x" of it');
  });

  await t.test('what only a CLI can be given is refused, and never passed on', async () => {
    const asks = cloud.requests.length, hi = { model: 'openai/x', messages: says('hi') };
    const mcp = { mcpServers: { files: { command: 'x', env: { KEY: 'the-secret' } } } };
    const isRefused = ({ status, bytes }, field) => {
      assert.equal(status, 400, `${bytes}`);
      assert.equal(JSON.parse(bytes).error.code, 'unsupported_parameter');
      assert.equal(JSON.parse(bytes).error.param, field);
    };
    isRefused(await through(JSON.stringify({ ...hi, mcp })), 'mcp');
    isRefused(await through(JSON.stringify({ ...hi, agent_profile: { name: 'x' } })), 'agent_profile');
    isRefused(await through(JSON.stringify(hi), { 'x-mcp-config': JSON.stringify(mcp) }), 'X-Mcp-Config');
    isRefused(await through(JSON.stringify(hi), { 'x-agent-profile': 'x' }), 'X-Agent-Profile');
    assert.equal(cloud.requests.slice(asks).filter(({ method }) => method === 'POST').length, 0);
    assert.equal((await through(JSON.stringify({ ...hi, mcp: null }))).status, 200);
  });

  await t.test('the key is the provider\'s own, and the caller\'s does not get out', async () => {
    await through(JSON.stringify({ model: 'openai/x', messages: says('hi') }), { authorization: 'Bearer of-the-caller', cookie: 'secret' });
    assert.equal(asked().headers.authorization, 'Bearer sk-loopback');
    assert.equal(asked().headers.cookie, undefined);
    await through(JSON.stringify({ model: 'acme/x', messages: says('hi') }));
    assert.equal(asked().headers.authorization, 'Bearer acme-key');
    await through(JSON.stringify({ model: 'local/x', messages: says('hi') }));
    assert.equal(asked().headers.authorization, undefined);
  });

  await t.test('an Idempotency-Key is the vendor\'s to honour', async () => {
    const before = cloud.requests.length;
    for (let i = 0; i < 2; i++)
      await through(JSON.stringify({ model: 'openai/x', messages: says('hi'), session_id: 's' }), { 'idempotency-key': 'once' });
    const keys = cloud.requests.slice(before).filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key']);
    assert.deepEqual(keys, ['once', 'once']);
  });

  for (const stream of [false, true])
    await t.test(`the answer comes back byte for byte, ${stream ? 'streamed' : 'whole'}`, async () => {
      const behaviour = { thinking: 'let me see', toolUse: { name: 'look', input: { at: 'it 🦀' }, id: 'call_1' }, text: 'grüße' };
      const body = model => JSON.stringify({ model, stream, logprobs: true, messages: says('hi'), stream_options: stream ? { include_usage: true } : undefined });
      cloud.next(behaviour, behaviour);
      const expected = await direct(body('fake-large'));
      const got = await through(body('openai/fake-large'));
      assert.equal(got.status, 200);
      assert.equal(unnumbered(got.bytes), unnumbered(expected.bytes));
      assert.equal(got.headers['content-type'], expected.headers['content-type']);
      assert.equal(got.headers['x-ratelimit-remaining-requests'], '999');
      assert.ok(got.headers['x-bridge-request-id'] || got.headers['x-request-id']);
      assert.ok(got.isWhole);
    });

  await t.test('deltas come as they are made, not at the end', async () => {
    cloud.next({ chunks: ['a', 'b', 'c', 'd'], delayMs: 200 });
    const client = await bridge.streams('openai/x', 'hi').finishes();
    assert.equal(client.text, 'abcd');
    const at = client.chunks.map((chunk, n) => chunk.choices[0]?.delta?.content ? client.at[n] : null).filter(Boolean);
    assert.ok(at.at(-1) - at[0] >= 400);
  });

  await t.test('errors keep their status, body and headers', async () => {
    for (const status of [400, 401, 404, 429, 500, 503]) {
      cloud.next({ status, error: `it is ${status}`, headers: { 'retry-after': '17', 'x-ratelimit-reset-requests': '6m0s' } });
      const got = await through(JSON.stringify({ model: 'openai/x', stream: true, messages: says('hi') }));
      assert.equal(got.status, status);
      assert.equal(JSON.parse(got.bytes).error.message, `it is ${status}`);
      assert.equal(got.headers['retry-after'], '17');
      assert.equal(got.headers['x-ratelimit-reset-requests'], '6m0s');
    }
  });

  await t.test('what was cut upstream is cut here', async () => {
    cloud.next({ chunks: ['a', 'b', 'c'], cutAfter: 2, delayMs: 5 });
    const client = await bridge.streams('openai/x', 'hi').ends();
    assert.equal(client.text, 'ab');
    assert.equal(client.finish, undefined);
    assert.ok(client.wasCut || client.error, 'truncated must look truncated');
    cloud.next({ cutAfter: 0 });
    const whole = await through(JSON.stringify({ model: 'openai/x', messages: says('hi') })).catch(() => ({ isWhole: false }));
    assert.ok(!whole.isWhole || whole.status >= 500);
  });

  await t.test('a client that leaves takes its request with it', async () => {
    for (const behaviour of [{ hang: true }, { chunks: Array(1000).fill('x'), delayMs: 20 }]) {
      await waitFor('nothing else is under way', () => cloud.openStreams === 0);
      cloud.next(behaviour);
      const client = bridge.streams('openai/x', 'hi');
      await waitFor('it is under way', () => cloud.openStreams === 1);
      if (!behaviour.hang)
        await client.hears(/x/);
      client.leaves();
      await isGone(() => cloud.openStreams ? ['a request'] : [], { within: 500, since: client.leftAt });
    }
  });

  await t.test('a session is nothing that a provider\'s requests wait for', async () => {
    cloud.next({ hang: true }, { text: 'here' });
    const headers = { 'x-session-id': 'shared' };
    const first = bridge.streams('openai/x', 'one', {}, { headers });
    await waitFor('it is under way', () => cloud.openStreams === 1);
    assert.equal((await bridge.answers('openai/x', 'two', {}, headers)).content, 'here');
    first.leaves();
    await waitFor('it is over', () => cloud.openStreams === 0);
  });

  await t.test('embeddings', async () => {
    const body = model => JSON.stringify({ model, input: ['a', 'b'] });
    const expected = await relayed(cloud.url, '/v1/embeddings', body('fake-embed'));
    const got = await relayed(bridge.url, '/v1/embeddings', body('acme/fake-embed'));
    assert.equal(got.bytes.toString(), expected.bytes.toString());
  });

  await t.test('models are found where the provider has them', async () => {
    const ids = await waitFor('they are listed', async () => {
      const { json } = await bridge.get('/v1/models');
      const all = json.data.map(model => model.id);
      return all.includes('acme/fake-large') && all;
    });
    assert.ok(ids.includes('openai/fake-small'));
    assert.equal((await bridge.get('/v1/models/acme/fake-large')).json.id, 'acme/fake-large');
    assert.equal((await bridge.get('/v1/models/acme%2Ffake-large')).json.id, 'acme/fake-large');
  });

  await t.test('a provider without a key says what is missing', async () => {
    const answer = await bridge.chat('moonshot/kimi', 'hi');
    assert.ok([401, 503].includes(answer.status), answer.text);
    assert.match(answer.json.error.message, /MOONSHOT_API_KEY/);
  });

  await t.test('a long body and a long answer arrive whole', async () => {
    const text = 'abcdefghij'.repeat(500_000);
    cloud.next({ text }, { chunks: Array(500).fill(text.slice(0, 10_000)) });
    const answer = await bridge.chat('openai/x', text);
    assert.equal(answer.content, text);
    assert.equal(asked().body.messages[0].content, text);
    const client = await bridge.streams('openai/x', 'hi', {}, { keep: false }).finishes();
    assert.equal(client.length, 5_000_000);
  });

  await t.test('many at once do not get in each other\'s way', async () => {
    cloud.always({ delayMs: 1 });
    const clients = await Promise.all(Array.from({ length: 100 }, (_, n) => bridge.streams('openai/x', `number ${n}`).finishes()));
    clients.forEach((client, n) => assert.match(client.text, new RegExp(`you said "number ${n}"`)));
    cloud.reset();
  });
});

test('a provider that is not there is a typed error', async t => {
  const { bridge } = await start(t, { BRIDGE_PROVIDER_GONE_BASE_URL: 'http://127.0.0.1:9/v1' });
  await bridge.refuses(502, 'upstream_failed', 'gone/x', 'hi');
});

test('what a vendor is not told is ignored by name, or refused where the request is strict', async t => {
  const { cloud, through } = await start(t);
  const body = JSON.stringify({ model: 'openai/gpt-loop', messages: [{ role: 'user', content: 'hello' }] });
  const headers = { 'x-session-id': 's', 'x-reasoning-effort': 'high', 'x-tangle-forwarded-authorization': 'Bearer hidden' };
  const names = 'session_id, X-Reasoning-Effort, X-Tangle-Forwarded-Authorization';

  const told = await through(body, headers);
  assert.equal(told.status, 200);
  assert.equal(told.headers['x-bridge-ignored'], names);
  const asks = () => cloud.requests.filter(({ method }) => method === 'POST').length;
  const asked = asks();
  const refused = await through(body, { ...headers, 'x-bridge-strict': 'true' });
  assert.equal(refused.status, 400);
  assert.ok(JSON.parse(refused.bytes).error.message.endsWith(names));
  assert.equal(asks(), asked);
  assert.equal((await through(body, { 'x-bridge-strict': 'true' })).status, 200);
});
