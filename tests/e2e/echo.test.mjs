import assert from 'node:assert/strict';

import { isGone, onThisMachine, says, startBridge, test } from './bridge.mjs';

test('echo says what it is told', async t => {
  const bridge = await startBridge(t);

  await t.test('a whole answer is the last user message', async () => {
    const { json, headers } = await bridge.answers('echo', says('first', 'answer', 'grüße 🦀\n\n"x"\t'));
    assert.equal(json.choices[0].message.content, 'grüße 🦀\n\n"x"\t');
    assert.equal(json.choices[0].message.role, 'assistant');
    assert.equal(json.object, 'chat.completion');
    assert.equal(json.model, 'echo');
    assert.match(json.id, /^chatcmpl-[0-9a-f]{24}$/);
    assert.ok(Math.abs(json.created - Date.now() / 1000) < 60);
    assert.equal(headers['x-bridge-harness'], 'echo');
    assert.ok(headers['x-request-id']);
  });

  await t.test('a streamed answer has role, deltas, finish and [DONE], in that order', async () => {
    const client = await bridge.streams('echo/chunks:4', 'abcdefgh').finishes();
    assert.deepEqual(client.deltas[0], { role: 'assistant', content: '' });
    assert.deepEqual(client.chunks.at(-1).choices[0].delta, {});
    assert.equal(client.chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.equal(client.text, 'abcdefgh');
    assert.equal(client.chunks.filter(chunk => chunk.choices[0].delta.content).length, 4);
    assert.equal(client.headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.equal(client.headers['x-accel-buffering'], 'no');
    assert.equal(client.headers['cache-control'], 'no-cache');
    assert.equal(new Set(client.chunks.map(chunk => chunk.id)).size, 1);
    assert.ok(client.chunks.every(chunk => chunk.object === 'chat.completion.chunk' && !('usage' in chunk)));
  });

  await t.test('usage comes in a chunk of its own when it is asked for', async () => {
    const client = await bridge.streams('echo', 'hi', { stream_options: { include_usage: true } }).finishes();
    const last = client.chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.deepEqual(Object.keys(last.usage), ['prompt_tokens', 'completion_tokens', 'total_tokens']);
    assert.equal(last.usage.total_tokens, last.usage.prompt_tokens + last.usage.completion_tokens);
    assert.ok(client.chunks.slice(0, -1).every(chunk => chunk.usage === null));
    assert.deepEqual((await bridge.answers('echo', 'hi')).json.usage, last.usage);
  });

  await t.test('what is written in a dialect that no CLI reads is refused by name', async () => {
    const { status, json } = await bridge.post('/v1/embeddings', { model: 'echo', input: 'hi' });
    assert.equal(status, 400);
    assert.equal(json.error.code, 'unsupported_parameter');
    assert.equal(json.error.message, 'echo answers no requests to /v1/embeddings');
  });

  await t.test('headers and a first comment come at once, and comments while it is silent', async () => {
    const client = await bridge.streams('echo/silent', 'hi').isConnected();
    assert.equal(client.status, 200);
    client.leaves();
  });

  await t.test('reasoning is no part of the text', async () => {
    const client = await bridge.streams('echo/think', 'hi').finishes();
    assert.equal(client.reasoning, 'thinking about it');
    assert.equal(client.text, 'hi');
    const { json } = await bridge.answers('echo/think', 'hi');
    assert.equal(json.choices[0].message.reasoning_content, 'thinking about it');
  });

  await t.test('what the harness does itself is told beside the answer, never as tool_calls', async () => {
    const client = await bridge.streams('echo/tool', 'hi').finishes();
    assert.ok(client.tools.length > 0);
    assert.ok(client.deltas.every(delta => !('tool_calls' in delta)));
    const { json } = await bridge.answers('echo/tool', 'hi');
    assert.ok(json.bridge.tools.length > 0);
  });

  await t.test('a failure has a status of its own', async () => {
    await bridge.refuses(401, 'harness_login_required', 'echo/fail:401', 'hi');
    const quota = await bridge.chat('echo/fail:429', 'hi');
    assert.equal(quota.status, 429);
    const failed = await bridge.chat('echo/fail:500', 'hi');
    assert.equal(failed.status, 502, failed.text);
    assert.equal(failed.headers['x-should-retry'], 'false');
  });

  await t.test('a crash and a truncated answer are errors, whole and streamed', async () => {
    await bridge.refuses(502, 'harness_crashed', 'echo/crash', 'hi');
    const crashed = bridge.streams('echo/chunks:5,delay:5,crash_after:2', 'abcdefghij');
    await crashed.fails('harness_crashed');
    assert.equal(crashed.text, 'abcd');
    const cut = bridge.streams('echo/chunks:5,truncate_after:2', 'abcdefghij');
    await cut.fails('answer_truncated');
    await bridge.refuses(502, 'answer_truncated', 'echo/truncate_after:0', 'hi');
  });

  await t.test('a character is never cut in two', async () => {
    const text = 'aé€🦀'.repeat(1000);
    const client = await bridge.streams('echo/chunks:999', text).finishes();
    assert.equal(client.text, text);
  });

  await t.test('a long answer arrives whole', async () => {
    const client = await bridge.streams('echo/text:3000000', 'x', {}, { keep: false }).finishes();
    assert.equal(client.length, 3_000_000);
    const { content } = await bridge.answers('echo/text:3000000,oneline', 'x');
    assert.equal(content.length, 3_000_000);
  });

  await t.test('a client that leaves is noticed, also while the harness is silent', async () => {
    for (const model of ['echo/silent', 'echo/silent_after:2,chunks:4', 'echo/chunks:100000,delay:1']) {
      const client = await bridge.streams(model, 'x'.repeat(200000)).isConnected();
      const running = async () => (await bridge.get('/health')).json.backends.filter(row => row.running);
      while ((await running()).length === 0);
      client.leaves();
      await isGone(running, { within: 500, since: client.leftAt });
    }
  });

  await t.test('parameters that cannot be honoured are named', async () => {
    const { headers } = await bridge.answers('echo', 'hi', { temperature: 0.5, n: 1, seed: 7, max_completion_tokens: 100 });
    assert.match(headers['x-bridge-ignored'], /temperature/);
    assert.match(headers['x-bridge-ignored'], /seed/);
    const forwarded = { 'x-tangle-forwarded-authorization': 'Bearer nobodys' };
    const answer = await bridge.chat('echo', 'hi', {}, forwarded);
    assert.equal(answer.headers['x-bridge-ignored'], 'X-Tangle-Forwarded-Authorization');
    assert.equal((await bridge.chat('echo', 'hi', {}, { ...forwarded, 'x-bridge-strict': 'true' })).status, 400);
  });

  await t.test('everything that SDKs send is accepted', async () => {
    const content = [{ type: 'text', text: 'one ' }, { type: 'text', text: 'two' }];
    const messages = [
      { role: 'developer', content: 'be brief' }, { role: 'system', content: [{ type: 'text', text: 'be kind' }] },
      { role: 'user', content: 'use it' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'result' },
      { role: 'user', content, name: 'me' },
    ];
    const answer = await bridge.answers('echo', messages, { unknown_field: { a: [1] }, metadata: {}, user: 'me', store: false });
    assert.match(answer.content, /one\s*two/);
  });
});

test('a CLI that crashes again and again is not started at once', async t => {
  const bridge = await startBridge(t);
  const crashes = () => bridge.refuses(502, 'harness_crashed', 'echo/crash', 'hi');
  const took = async work => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  for (let n = 0; n < 3; n++)
    await crashes();
  assert.ok(await took(crashes) >= 150, 'it waits after the third');

  const client = await bridge.streams('echo', 'hi').isConnected();
  client.leaves(); // while it waits
  await isGone(async () => (await bridge.get('/health')).json.backends.filter(row => row.running), { within: 2000 });

  assert.equal((await bridge.answers('echo', 'hi')).content, 'hi');
  await crashes();
  assert.equal((await bridge.answers('echo', 'hi')).content, 'hi');
});

test('a silent stream is kept alive by comments', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_SSE_HEARTBEAT_MS: '100' } });
  const client = await bridge.streams('echo/chunks:2,delay:1000', 'abcd').finishes();
  assert.equal(client.comments[0], 'ok');
  assert.ok(client.comments.filter(comment => comment === 'keepalive').length >= 5);
  assert.equal(client.text, 'abcd');
});

test('a turn that is silent for too long is given up', async t => {
  const bridge = await startBridge(t, { env: { ECHO_TIMEOUT_MS: onThisMachine(300) } });
  const answer = await bridge.refuses(504, 'timeout', 'echo/silent', 'hi');
  assert.equal(answer.headers['x-should-retry'], 'false');
  const slow = await bridge.streams('echo/chunks:10,delay:100', 'abcdefghij').finishes();
  assert.equal(slow.text, 'abcdefghij', 'silence counts, not duration');
});

test('what is too much waits, and what is more than that is refused', async t => {
  const bridge = await startBridge(t, { env: { ECHO_MAX_RUNNING: '2', ECHO_MAX_QUEUED: '3', ECHO_QUEUE_MS: onThisMachine(400) } });
  const running = [1, 2].map(() => bridge.streams('echo/silent', 'x'));
  await Promise.all(running.map(client => client.isConnected()));
  const waiting = [1, 2, 3].map(() => bridge.streams('echo', 'x'));
  await Promise.all(waiting.map(client => client.isConnected()));
  const full = await bridge.refuses(429, 'queue_full', 'echo', 'x');
  assert.ok(Number(full.headers['retry-after']) > 0);
  await Promise.all(waiting.map(client => client.fails('queue_timeout')));
  running.forEach(client => client.leaves());
  await bridge.isIdle();
  await bridge.answers('echo', 'there is room again');
});
