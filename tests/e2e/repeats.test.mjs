// A turn runs at most once, whatever the client repeats.
import assert from 'node:assert/strict';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText } from 'ai';
import OpenAI from 'openai';

import { says, startBridge, test, waitFor } from './bridge.mjs';

// The agent uses a tool, says some words, and dies.
const WORKS_AND_DIES = 'echo/tool,chunks:4,crash_after:2';

// The agent uses a tool and says no more.
const WORKS_AND_HANGS = 'echo/tool,chunks:4,silent_after:1';

function runs(bridge) {
  const count = () => bridge.log.match(/turn \d+: running/g)?.length ?? 0;
  let before = count();
  return {
    // So many turns have begun since the last look.
    are: async wanted => {
      await waitFor(`${wanted} turns have run`, () => count() - before >= wanted);
      assert.equal(count() - before, wanted);
      before = count();
    },
  };
}

// Long enough for any machine.
const env = { BRIDGE_REPEAT_MS: '600000' };

test('a request that is repeated is not run again', async t => {
  const bridge = await startBridge(t, { env });
  const run = runs(bridge);

  await t.test('one that comes while its turn runs is answered by that turn, from the beginning', async () => {
    const first = bridge.streams('echo/tool,chunks:4,delay:700', 'one two three four', { session_id: 'join' });
    await first.hears(/./);
    const [second, whole] = await Promise.all([
      bridge.streams('echo/tool,chunks:4,delay:700', 'one two three four', { session_id: 'join' }).finishes(),
      bridge.answers('echo/tool,chunks:4,delay:700', 'one two three four', { session_id: 'join' }),
    ]);
    await first.finishes();
    assert.equal(first.text, 'one two three four');
    assert.equal(second.text, first.text);
    assert.equal(whole.content, first.text);
    assert.equal(second.tools.length, 1);
    assert.equal(whole.json.bridge.tools.length, 1);
    assert.deepEqual([first, second, whole].map(({ headers }) => headers['x-bridge-repeated']), [undefined, 'true', 'true']);
    await run.are(1);
  });

  await t.test('the turn goes on when one of its clients leaves, and ends with the last', async () => {
    const [first, second] = [0, 1].map(() => bridge.streams(WORKS_AND_HANGS, 'leave', { session_id: 'leave' }));
    await first.hears(/./);
    await second.hears(/./);
    first.leaves();
    const third = await bridge.streams(WORKS_AND_HANGS, 'leave', { session_id: 'leave' }).hears(/./);
    second.leaves();
    third.leaves();
    await bridge.isIdle();
    await run.are(1);
  });

  await t.test('one whose turn has failed after the agent had used a tool gets that failure', async () => {
    const first = await bridge.refuses(502, 'harness_crashed', WORKS_AND_DIES, 'work', { session_id: 'dies' });
    assert.equal(first.headers['x-bridge-repeated'], undefined);
    for (let i = 0; i < 2; i++) {
      const again = await bridge.refuses(502, 'harness_crashed', WORKS_AND_DIES, 'work', { session_id: 'dies' });
      assert.equal(again.headers['x-bridge-repeated'], 'true');
      assert.equal(again.headers['x-should-retry'], 'false');
      assert.match(again.json.error.message, /was not run again: it will be run if it comes in \d+ ms or later/);
    }
    await run.are(1);
    await bridge.refuses(502, 'harness_crashed', WORKS_AND_DIES, 'work harder', { session_id: 'dies' });
    await run.are(1);
  });

  await t.test('one whose client has given up and asks again', async () => {
    const first = await bridge.streams(WORKS_AND_HANGS, 'patience', { session_id: 'gives-up' }).hears(/./);
    first.leaves();
    await bridge.isIdle();
    const again = await bridge.refuses(499, 'cancelled', WORKS_AND_HANGS, 'patience', { session_id: 'gives-up' });
    assert.equal(again.headers['x-bridge-repeated'], 'true');
    await run.are(1);
  });

  await t.test('what has used no tool is run again, and so is what has no session', async () => {
    for (let i = 0; i < 2; i++)
      await bridge.refuses(502, 'harness_crashed', 'echo/chunks:4,crash_after:2', 'talk', { session_id: 'talks' });
    await run.are(2);
    for (let i = 0; i < 2; i++)
      await bridge.refuses(502, 'harness_crashed', WORKS_AND_DIES, 'work');
    await run.are(2);
    await Promise.all(Array.from({ length: 5 }, () => bridge.answers('echo/delay:20', 'the same prompt')));
    await run.are(5);
  });
});

test('BRIDGE_REPEAT_MS says for how long', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_REPEAT_MS: '0' } });
  const run = runs(bridge);
  for (let i = 0; i < 2; i++)
    await bridge.refuses(502, 'harness_crashed', WORKS_AND_DIES, 'work', { session_id: 's' });
  await run.are(2);
});

test('an Idempotency-Key does it by name', async t => {
  const bridge = await startBridge(t);
  const run = runs(bridge);
  const key = name => ({ 'idempotency-key': name });

  await t.test('a finished answer is given again, as often as it is asked for', async () => {
    const first = await bridge.answers('echo/think,tool', 'hello', {}, key('a'));
    const again = await bridge.answers('echo/think,tool', 'hello', {}, key('a'));
    const stream = await bridge.streams('echo/think,tool', 'hello', {}, { headers: key('a') }).finishes();
    assert.equal(again.headers['x-bridge-repeated'], 'true');
    for (const { choices, usage, bridge: extras } of [first.json, again.json]) {
      assert.equal(choices[0].message.content, 'hello');
      assert.equal(choices[0].message.reasoning_content, 'thinking about it');
      assert.deepEqual(usage, first.json.usage);
      assert.deepEqual(extras, first.json.bridge);
    }
    assert.deepEqual([stream.text, stream.reasoning, stream.tools.length], ['hello', 'thinking about it', 1]);
    await run.are(1);
  });

  await t.test('a key is for one request', async () => {
    await bridge.answers('echo', 'hello', {}, key('b'));
    const other = await bridge.refuses(422, 'idempotency_key_reused', 'echo', 'something else', {}, key('b'));
    assert.match(other.json.error.message, /Idempotency-Key/);
    await bridge.refuses(400, 'invalid_value', 'echo', 'hello', {}, key('x'.repeat(257)));
    await bridge.answers('echo', 'hello', {}, key('c'));
    await bridge.answers('echo', 'hello', {}, key(''));
    await run.are(3);
  });

  await t.test('a failure is given again, whenever it is asked for', async () => {
    for (let i = 0; i < 3; i++) {
      const { json } = await bridge.refuses(502, 'harness_crashed', WORKS_AND_DIES, 'work', {}, key('d'));
      assert.equal(/another Idempotency-Key/.test(json.error.message), i > 0);
    }
    await run.are(1);
  });
});

test('SDKs repeat a request by themselves', async t => {
  const bridge = await startBridge(t, { env });
  const run = runs(bridge);

  await t.test("OpenAI's, which gives up when its time is over", async () => {
    const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'none', timeout: 1500, maxRetries: 2 });
    await assert.rejects(client.chat.completions.create({ model: WORKS_AND_HANGS, messages: says('work') }, { headers: { 'X-Session-Id': 'openai' } }),
      ({ status, headers }) => status === 499 && headers.get('x-bridge-repeated') === 'true');
    await run.are(1);
  });

  await t.test("Vercel's, which knows no X-Should-Retry", async () => {
    const provider = createOpenAICompatible({ name: 'bridge', baseURL: `${bridge.url}/v1` });
    await assert.rejects(generateText({ model: provider(WORKS_AND_DIES), prompt: 'work', maxRetries: 2, headers: { 'X-Session-Id': 'vercel' } }),
      ({ message }) => /was not run again/.test(message));
    await run.are(1);
  });
});
