// Vendors that answer oddly.  What can be relayed is, and what cannot is a typed error that is true.
import assert from 'node:assert/strict';
import http from 'node:http';
import { gzipSync } from 'node:zlib';

import { startRawVendor } from '../fakes/raw-vendor.mjs';
import { PATIENCE, comes, says, startBridge, test } from './bridge.mjs';

async function start(t, options) {
  const vendor = await startRawVendor(options);
  t.after(() => vendor.close());
  const bridge = await startBridge(t, { backends: ['passthrough'], env: { BRIDGE_PROVIDER_ACME_BASE_URL: `${vendor.url}/v1` } });
  return { vendor, bridge };
}

// { status, headers, list, bytes, isWhole }; `list` has every header as it came.  `hears` is called with the first bytes.
function asks(bridge, { stream = false, text = 'hi', hears = () => {} } = {}) {
  return comes('an answer', new Promise((done, failed) => {
    const body = JSON.stringify({ model: 'acme/m', stream, messages: says(text) });
    const request = http.request(new URL('/v1/chat/completions', bridge.url), {
      method: 'POST', agent: false, timeout: PATIENCE, maxHeaderSize: 1 << 20,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, response => {
      const pieces = [];
      response.once('data', hears).on('data', piece => pieces.push(piece)).on('error', () => {}).on('close', () => done({
        status: response.statusCode, headers: response.headers, list: response.rawHeaders, isWhole: response.complete,
        bytes: Buffer.concat(pieces), get error() { return JSON.parse(this.bytes).error; },
      }));
    });
    request.on('timeout', () => request.destroy(new Error('no answer'))).on('error', failed);
    request.end(body);
  }));
}

const JSON_TYPE = 'Content-Type: application/json\r\n';
const whole = (status, headers = JSON_TYPE, body = '{"ok":1}') =>
  `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;
const chunk = text => `${text.length.toString(16)}\r\n${text}\r\n`;
const EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n';
const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

test('what is odd, and yet an answer, is relayed', async t => {
  const { vendor, bridge } = await start(t);
  const relays = async (steps, { status = 200, body = '{"ok":1}', ...how } = {}) => {
    vendor.next(...[steps].flat());
    const answer = await asks(bridge, how);
    assert.equal(answer.status, status, answer.bytes.toString());
    assert.equal(answer.bytes.toString('latin1'), body);
    assert.ok(answer.isWhole);
    return answer;
  };

  await t.test('every status is its own, and no redirect is followed', async () => {
    for (const status of [201, 301, 302, 307, 308, 418, 429, 502, 520, 529, 599])
      await relays(whole(`${status} Odd`, 'Location: http://elsewhere.example/\r\n', 'why'), { status, body: 'why' });
    await relays('HTTP/1.1 204 No Content\r\n\r\n', { status: 204, body: '' });
    await relays('HTTP/1.1 304 Not Modified\r\n\r\n', { status: 304, body: '' });
    await relays('HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}', { body: '{}' });
    await relays(whole('503 X', '', ''), { status: 503, body: '' });
  });

  await t.test('an error body is passed on byte for byte, even if it is no text', async () => {
    const body = '{"error":{"message":"no","param":"top_p","code":7},"x":1e999,"y":"\xff\\ud83d"}';
    const answer = await relays(whole('400 Bad', 'Content-Type: application/json; charset=latin1\r\n', body), { status: 400, body });
    assert.equal(answer.headers['content-type'], 'application/json; charset=latin1');
  });

  await t.test('a header that comes twice comes twice, one that is not UTF-8 is text', async () => {
    const { list, headers } = await relays(whole('200 OK', `${JSON_TYPE}X-Dup: 1\r\nX-Dup: 2\r\nX-Odd: caf\xe9 \t \r\n`));
    assert.deepEqual(list.filter((_, n) => list[n - 1] === 'X-Dup'), ['1', '2']);
    assert.equal(Buffer.from(headers['x-odd'], 'latin1').toString(), 'café');
  });

  await t.test('a header that concerns the connection only stays there', async () => {
    const { headers } = await relays(whole('200 OK', `${JSON_TYPE}X-Hop: 1\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\n`));
    assert.equal(headers['x-hop'], undefined);
    assert.equal(headers['x-kept'], '1');
  });

  await t.test('heads before the head, and trailers, are nobody\'s business', async () => {
    await relays(['HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n', whole('200 OK')]);
    const { headers } = await relays([EVENTS, chunk(EVENT), '0\r\nX-Trailer: 1\r\n\r\n'], { stream: true, body: EVENT });
    assert.equal(headers['x-trailer'], undefined);
  });

  await t.test('the end of the connection ends an answer without a length', async () => {
    const ends = socket => socket.end();
    await relays([`HTTP/1.0 200 OK\r\n${JSON_TYPE}\r\n{"old":1}`, ends], { body: '{"old":1}' });
    await relays([`HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\n{"old":1}`, ends], { body: '{"old":1}' });
    await relays(['HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n', EVENT, ends], { stream: true, body: EVENT });
  });

  await t.test('what comes behind the length belongs to nobody', () =>
    relays(`HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 2\r\n\r\n{}garbage`, { body: '{}' }));

  await t.test('what nobody asked to be encoded says that it is', async () => {
    const body = gzipSync('{"error":{"message":"slow"}}').toString('latin1');
    const { headers } = await relays(whole('429 Slow', `${JSON_TYPE}Content-Encoding: gzip\r\n`, body), { status: 429, body });
    assert.equal(headers['content-encoding'], 'gzip');
  });

  await t.test('of a head that is too large the most important is kept', async () => {
    const many = Array.from({ length: 60 }, (_, n) => `X-H${n}: ${'v'.repeat(900)}\r\n`).join('');
    const useful = `${JSON_TYPE}Retry-After: 7\r\nx-ratelimit-remaining-tokens: 12\r\n`;
    const { headers } = await relays(whole('429 Slow', many + useful), { status: 429 });
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['retry-after'], '7');
    assert.equal(headers['x-ratelimit-remaining-tokens'], '12');
    assert.ok(headers['x-h0']);
  });
});

test('an answer that comes before the request was read is the answer', async t => {
  const { vendor, bridge } = await start(t, { early: true });
  for (const size of [1000, 3_000_000, 30_000_000]) {
    vendor.next(whole('413 Large', `${JSON_TYPE}Connection: close\r\n`, '{"error":{}}'));
    const answer = await asks(bridge, { text: 'x'.repeat(size) });
    assert.equal(answer.status, 413, answer.bytes.toString());
    assert.equal(answer.bytes.toString(), '{"error":{}}');
  }
});

test('what is no answer is a typed error', async t => {
  const { vendor, bridge } = await start(t);
  const fails = async (code, words, steps, how) => {
    vendor.next(...[steps].flat());
    const answer = await asks(bridge, how);
    assert.equal(answer.status, 502, answer.bytes.toString());
    assert.equal(answer.error.code, code, answer.error.message);
    assert.match(answer.error.message, words);
  };
  const cuts = socket => socket.end();
  const resets = socket => socket.resetAndDestroy();

  await t.test('something else than HTTP', async () => {
    await fails('upstream_failed', /gave no answer/, ['SSH-2.0-OpenSSH\r\n', cuts]);
    await fails('upstream_failed', /an? (complete head of an )?answer/, ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'x'.repeat(600_000), cuts]);
    await fails('upstream_failed', /an? (complete head of an )?answer/, ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', cuts]);
    await fails('upstream_failed', /a status that is none/, whole('600 Odd'));
  });

  await t.test('nothing, or not all of it', async () => {
    await fails('upstream_failed', /closed the connection without an answer/, cuts);
    await fails('upstream_failed', /closed the connection without an answer/, resets);
    await fails('upstream_failed', /no complete head of an answer/, [`HTTP/1.1 200 OK\r\n${JSON_TYPE}`, cuts]);
    await fails('answer_truncated', /broke off its answer/, [`HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 100\r\n\r\n{"a":`, cuts]);
    await fails('answer_truncated', /broke off its answer/, [`HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 100\r\n\r\n{"a":`, resets]);
  });

  await t.test('a header without an end', () =>
    fails('upstream_failed', /a header that is too long/, `HTTP/1.1 200 OK\r\nX-H: ${'v'.repeat(120_000)}\r\n\r\n`));

  await t.test('a stream that is cut is cut, with an event that says so', async () => {
    for (const type of ['text/event-stream', 'Text/Event-Stream; Charset=UTF-8']) {
      let hears;
      const isHeard = new Promise(done => { hears = done; });
      vendor.next(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`, chunk(EVENT), () => comes('the client hears the first bytes', isHeard), cuts);
      const { status, bytes, isWhole } = await asks(bridge, { stream: true, hears });
      assert.equal(status, 200);
      assert.equal(isWhole, false);
      assert.ok(bytes.toString().startsWith(EVENT));
      assert.equal(JSON.parse(bytes.toString().split('\n\ndata: ').at(-1)).error.code, 'answer_truncated');
    }
  });
});

test('a request is sent once', async t => {
  const { vendor, bridge } = await start(t);
  const asked = () => vendor.requests.length;

  await t.test('a connection that was closed in between is not used', async () => {
    for (let n = 0; n < 5; n++) {
      let closed;
      const isClosed = new Promise(done => { closed = done; });
      vendor.next(whole('200 OK'), socket => socket.end(closed));
      assert.equal((await asks(bridge)).status, 200);
      await comes('the vendor has closed its connection', isClosed);
    }
    assert.equal(asked(), 5);
  });

  await t.test('one that is closed while the request is on its way is an error, not a second request', async () => {
    const before = asked();
    vendor.next(whole('200 OK'));
    await asks(bridge);
    const connections = vendor.connections;
    vendor.next(socket => socket.resetAndDestroy());
    const answer = await asks(bridge);
    assert.equal(answer.status, 502, answer.bytes.toString());
    assert.match(answer.error.message, /closed the connection without an answer/);
    assert.equal(asked(), before + 2);
    assert.ok(vendor.connections <= connections + 1);
    assert.equal((await asks(bridge)).status, 200);
  });
});
