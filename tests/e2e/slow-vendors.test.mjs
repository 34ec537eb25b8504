// Vendors that take their time, at every stage of a request: they take it slowly, think, trickle, fall silent.
// No deadline may run before its stage has begun, and none may be missing.
import assert from 'node:assert/strict';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { startOpenAI } from '../fakes/vendors.mjs';
import { PATIENCE, onThisMachine, says, startBridge, test, waitFor } from './bridge.mjs';

const SILENCE_MS = onThisMachine(3000);
const LARGE = 30_000_000; // more than the buffers of two sockets
const BEAT_MS = 100;

async function start(t, { env, ...options } = {}) {
  const cloud = await startOpenAI(options);
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['passthrough'], env: { BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1`, ...env } });
  return { cloud, bridge };
}

const impatient = (t, options) => start(t, { ...options, env: { PASSTHROUGH_TIMEOUT_MS: `${SILENCE_MS}` } });

// A streamed answer, byte for byte as it came.
class Bytes {
  text = '';
  ended = false;

  constructor(url) {
    const body = JSON.stringify({ model: 'acme/x', messages: says('hi'), stream: true });
    this.request = http.request(new URL('/v1/chat/completions', url), { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } }, response => {
      this.headers = response.headers;
      response.setEncoding('latin1').on('data', text => { this.text += text; }).on('error', () => {}).on('close', () => { this.ended = true; });
    });
    this.request.on('error', problem => { this.text += problem; this.ended = true; });
    this.request.end(body);
  }

  async hears(pattern) {
    await waitFor(`the client hears ${pattern}`, () => this.text.match(pattern) || this.ended);
    assert.match(this.text, pattern);
  }

  async ends() {
    await waitFor('the answer ends', () => this.ended);
    return this.text;
  }
}

const comments = text => text.match(/: keepalive\n\n/g)?.length ?? 0;
const withoutComments = text => text.replaceAll(': keepalive\n\n', '');

// Longer than the gateway gives a worker to take a turn: that stage is over when the vendor begins to think.
test('a vendor may think for longer than a worker may take for a turn', async t => {
  const { bridge } = await start(t);
  const [whole, streamed] = await Promise.all([
    bridge.answers('acme/fake-large@think:11500', 'hi'),
    bridge.streams('acme/fake-large@think:11500', 'hi').finishes(PATIENCE),
  ]);
  assert.match(whole.content, /you said "hi"/);
  assert.match(streamed.text, /you said "hi"/);
});

test('a vendor that is slow is waited for as long as it lives', async t => {
  await t.test('it takes a large request slowly', async t => {
    const { bridge } = await impatient(t, { takes: LARGE * 600 / SILENCE_MS });
    const began = performance.now();
    const answer = await bridge.answers('acme/x', 'x'.repeat(LARGE));
    assert.match(answer.content, /30000000 characters/);
    assert.ok(performance.now() - began > SILENCE_MS, 'it was slow enough to prove something');
  });

  await t.test('it trickles its answer', async t => {
    const { cloud, bridge } = await impatient(t);
    cloud.next({ chunks: [...'abcdefgh'], delayMs: SILENCE_MS / 5 });
    assert.equal((await bridge.streams('acme/x', 'hi').finishes()).text, 'abcdefgh');
  });
});

test('a vendor that has fallen silent is given up, and it is said at which stage', async t => {
  const gaveUp = answer => {
    assert.equal(answer.status, 504, answer.text);
    assert.equal(answer.json.error.code, 'timeout');
    return answer.json.error.message;
  };

  await t.test('it takes no more of the request', async t => {
    const { bridge } = await impatient(t, { takes: 0 });
    assert.match(gaveUp(await bridge.chat('acme/x', 'x'.repeat(LARGE))), new RegExp(`took no more of the request for ${SILENCE_MS} ms`));
  });

  await t.test('it never begins to answer', async t => {
    const { cloud, bridge } = await impatient(t);
    cloud.next({ hang: true });
    assert.match(gaveUp(await bridge.chat('acme/x', 'hi')), new RegExp(`did not begin to answer for ${SILENCE_MS} ms`));
  });

  await t.test('it stops in the middle', async t => {
    const { cloud, bridge } = await impatient(t);
    cloud.next({ chunks: ['a', 'b', 'c'], hangAfter: 2, delayMs: 1 });
    const client = await bridge.streams('acme/x', 'hi').ends();
    assert.equal(client.text, 'ab');
    assert.equal(client.error.code, 'timeout');
    assert.match(client.error.message, new RegExp(`said no more for ${SILENCE_MS} ms`));
    assert.ok(client.wasCut);
    await waitFor('the request has left the vendor', () => cloud.openStreams === 0);
  });
});

test('a stream gets comments while its vendor is silent, and only between events', async t => {
  const { cloud, bridge } = await start(t, { env: { BRIDGE_SSE_HEARTBEAT_MS: `${BEAT_MS}` } });
  const event = text => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}`;

  // What the vendor says, with what it waits for before it says it.
  const script = (...steps) => cloud.next({
    async raw(req, res) {
      res.writeHead(200, { 'content-type': 'Text/Event-Stream; charset=utf-8', 'x-accel-buffering': 'yes' });
      res.flushHeaders();
      for (const step of steps)
        typeof step === 'string' ? res.write(step) : await step();
      res.end();
    },
  });

  for (const [name, end] of [['\\n', '\n'], ['\\r\\n', '\r\n'], ['\\r', '\r']])
    await t.test(`with ${name}`, async () => {
      let client, within;
      const hearsMore = async () => {
        const before = comments(client.text);
        await waitFor('the client hears a comment', () => comments(client.text) > before);
      };
      const staysSilent = async () => {
        await waitFor('all is there', () => withoutComments(client.text).endsWith(within));
        const before = comments(client.text);
        await sleep(5 * BEAT_MS);
        assert.equal(comments(client.text), before, 'an event is not interrupted');
      };
      const half = event('b').slice(0, 20), rest = event('b').slice(20);
      script(() => waitFor('it has begun', () => client?.headers), hearsMore, event('a') + end + end, hearsMore,
        half, () => { within = half; }, staysSilent, rest + end, () => { within = rest + end; }, staysSilent, end, hearsMore,
        `data: [DONE]${end}`, end);
      client = new Bytes(bridge.url);
      const text = await client.ends();
      assert.equal(withoutComments(text), event('a') + end + end + event('b') + end + end + `data: [DONE]${end}${end}`);
      assert.equal(client.headers['x-accel-buffering'], 'no');
    });

  await t.test('and none where it is encoded, or is no stream of events', async () => {
    for (const headers of [{ 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }, { 'content-type': 'application/json' }]) {
      cloud.next({
        async raw(req, res) {
          res.writeHead(200, headers);
          res.write('\n\n');
          await sleep(5 * BEAT_MS);
          res.end('x');
        },
      });
      assert.equal(await new Bytes(bridge.url).ends(), '\n\nx');
    }
  });
});
