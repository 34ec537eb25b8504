// What many and large requests, a busy process and a stop do to others: nothing.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { PLAIN_BUILD, comes, isGone, memoryOf, onThisMachine, startBridge, test, waitFor } from './bridge.mjs';

const MB = 1 << 20;

const pad = (model, bytes) => Buffer.from(JSON.stringify({ model, messages: [{ role: 'user', content: 'x'.repeat(bytes) }] }));

// On a busy machine it takes its time to send and to read so much.
const MUCH_PATIENCE = 600_000;

const post = (bridge, body) => bridge.request('POST', '/v1/chat/completions', { body, patience: MUCH_PATIENCE });

const pidsOf = async bridge => Object.fromEntries((await bridge.status()).map(row => [row.name, row.pid]));

// How long the slowest of many looks at /health took, until it is told to stop.
function watchHealth(bridge) {
  const watch = { slowest: 0, isOver: false };
  watch.ends = (async () => {
    while (!watch.isOver) {
      const began = performance.now();
      assert.equal((await bridge.get('/health')).status, 200);
      watch.slowest = Math.max(watch.slowest, performance.now() - began);
      await sleep(50);
    }
  })();
  return watch;
}

test('40 posts of 20 MB at once harm nobody', async t => {
  const bridge = await startBridge(t, { build: PLAIN_BUILD });
  const before = await pidsOf(bridge), idle = memoryOf(before.echo).now;
  const health = watchHealth(bridge);
  const stream = bridge.streams('echo/chunks:60,delay:50', 'abcdef'.repeat(10));
  await stream.hears(/a/);

  const large = pad('echo/text:10', 20 * MB);
  const posts = Array.from({ length: 40 }, () => post(bridge, large));
  const small = Array.from({ length: 40 }, () => bridge.chat('echo', 'a small one'));
  const smallAnswers = await Promise.all(small);
  const answers = await Promise.all(posts);
  await stream.finishes(MUCH_PATIENCE);
  health.isOver = true;
  await health.ends;

  assert.equal(stream.text, 'abcdef'.repeat(10));
  for (const answer of [...answers, ...smallAnswers])
    assert.ok([200, 429].includes(answer.status), answer.text);
  assert.deepEqual(await pidsOf(bridge), before, 'no process was replaced');
  const peak = memoryOf(before.echo).peak - idle;
  t.diagnostic(`worker: ${Math.round(peak)} MB at most; /health: ${Math.round(health.slowest)} ms at most; ` +
    `${answers.filter(({ status }) => status === 200).length} of 40 were answered`);
  assert.ok(peak < 6 * 64, `the worker holds ${peak} MB, with a window of 64`);
  assert.ok(health.slowest < onThisMachine(10_000), `/health took ${health.slowest} ms`);
});

test('a turn that waits costs little more than its body', async t => {
  const bridge = await startBridge(t, { build: PLAIN_BUILD, env: { ECHO_MAX_RUNNING: '1', BRIDGE_ORDER_WINDOW_BYTES: String(256 * MB) } });
  const before = await pidsOf(bridge), running = bridge.streams('echo/silent', 'x');
  const growth = async (count, bytes) => {
    const idle = memoryOf(before.echo).now;
    const clients = Array.from({ length: count }, (_, n) => bridge.streams('echo', 'x'.repeat(bytes), { session_id: `${bytes}-${n}` }));
    await waitFor('all wait', async () => (await bridge.row('echo')).queued === count);
    const grown = memoryOf(before.echo).now - idle;
    clients.forEach(client => client.leaves());
    await waitFor('none waits', async () => (await bridge.row('echo')).queued === 0);
    return grown / (count * bytes / MB);
  };
  await waitFor('one runs', async () => (await bridge.row('echo')).running === 1);
  for (const [count, bytes] of [[10, 5 * MB], [60, MB / 2]]) {
    const times = await growth(count, bytes);
    t.diagnostic(`${count} bodies of ${bytes} bytes: ${times.toFixed(2)} times as much`);
    assert.ok(times < 1.5, `${times} times their bodies`);
  }
  running.leaves();
});

test('a burst of many small requests is answered', async t => {
  const bridge = await startBridge(t);
  const burst = Array.from({ length: 200 }, (_, n) => bridge.chat('echo', `number ${n}`));
  (await Promise.all(burst)).forEach((answer, n) => {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.content, `number ${n}`);
  });
});

test('what finds no room in its worker waits in the gateway', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_ORDER_WINDOW_BYTES: String(4 * MB), BRIDGE_ORDER_WAIT_MS: '1500' } });
  const silent = bridge.streams('echo/silent', 'x'.repeat(3 * MB));
  await bridge.streams('echo', 'x').finishes(); // it has come before
  await waitFor('the large one runs', async () => (await bridge.get('/health')).json.backends[0].running === 1);

  await t.test('and is refused if it finds none in time', async () => {
    const large = post(bridge, pad('echo', 2 * MB));
    for (let n = 0; n < 5; n++)
      assert.equal((await bridge.answers('echo', 'small')).content, 'small');
    const { status, json, headers } = await large;
    assert.equal(status, 429);
    assert.equal(json.error.code, 'queue_timeout');
    assert.match(json.error.message, /BRIDGE_ORDER_WINDOW_BYTES/);
    assert.ok(Number(headers['retry-after']) > 0);
  });

  await t.test('and is sent when there is', async () => {
    const gone = bridge.streams('echo', 'x'.repeat(2 * MB));
    const large = post(bridge, pad('echo/text:5', 2 * MB));
    await sleep(100);
    gone.leaves();
    silent.leaves();
    assert.equal((await large).status, 200, (await large).text);
  });

  await t.test('and none is lost with its worker', async () => {
    const holder = await bridge.streams('echo/silent', 'x'.repeat(3 * MB)).isConnected();
    await waitFor('it runs', async () => (await bridge.get('/health')).json.backends[0].running === 1);
    const large = post(bridge, pad('echo/text:5', 2 * MB));
    await sleep(100);
    await bridge.kill('echo');
    await holder.fails('worker_lost');
    assert.equal((await large).status, 200, (await large).text);
  });
});

test('a body that a vendor has is no more in the way of others', async t => {
  const vendor = http.createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"begun"}}]}\n\n'); // and goes on for ever
    });
  });
  await comes('the vendor listens', new Promise(done => vendor.listen(0, '127.0.0.1', done)));
  t.after(() => { vendor.closeAllConnections(); vendor.close(); });
  const bridge = await startBridge(t, {
    backends: ['passthrough'],
    env: { BRIDGE_PROVIDER_LOCAL_BASE_URL: `http://127.0.0.1:${vendor.address().port}/v1`, BRIDGE_ORDER_WINDOW_BYTES: String(4 * MB) },
  });
  const clients = Array.from({ length: 5 }, () => bridge.streams('local/x', 'x'.repeat(3 * MB)));
  for (const client of clients)
    await client.hears(/begun/);
  clients.forEach(client => client.leaves());
});

test('a large request that is wrong is told so, and what is ignored is named', async t => {
  const bridge = await startBridge(t);
  const wrong = JSON.stringify({ model: 'echo', messages: [{ role: 'nobody', content: 'x'.repeat(2 * MB) }] });
  const refused = await post(bridge, wrong);
  assert.equal(refused.status, 400, refused.text);
  const ignoring = JSON.stringify({ model: 'echo/text:5', seed: 7, messages: [{ role: 'user', content: 'x'.repeat(2 * MB) }] });
  const answer = await post(bridge, ignoring);
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['x-bridge-ignored'], /seed/);
  assert.deepEqual(answer.json.bridge.ignored, ['seed']);
});

test('what is ignored of a large request is named in its stream, if the head was out', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HEAD_MS: '0' } });
  const client = await bridge.streams('echo/text:5', 'x'.repeat(2 * MB), { seed: 7, n: 2 }).finishes();
  assert.equal(client.headers['x-bridge-ignored'], undefined);
  assert.deepEqual(client.chunks.flatMap(chunk => chunk.bridge?.ignored ?? []).sort(), ['n', 'seed']);
});

test('a worker that hears late takes the turn then', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HUNG_MS: '60000' } });
  const pid = await bridge.kill('echo', 'SIGSTOP');
  const turn = bridge.chat('echo', 'patience');
  await sleep(11_000);
  process.kill(pid, 'SIGCONT');
  assert.equal((await turn).content, 'patience', (await turn).text);
});

test('a process that reads a large request is not taken for hung', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HUNG_MS: onThisMachine(500) } });
  const before = await pidsOf(bridge);
  const part = '{"type":"text","text":"x"}';
  const body = `{"model":"echo/text:5","messages":[{"role":"user","content":[${part}${`,${part}`.repeat(300_000)}]}]}`;
  const answer = await post(bridge, body);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(await pidsOf(bridge), before);
});

test('a flood of tiny pieces is not cut when the gateway was busy', async t => {
  const bridge = await startBridge(t);
  const text = 'z'.repeat(200_000);
  const floods = model => bridge.streams(model, text, {}, { keep: false });

  await t.test('because it was not running', async () => {
    const client = floods('echo/chunks:200000');
    await client.isConnected();
    for (let n = 0; n < 4 && !client.ended; n++) {
      const pid = await bridge.pid('gateway');
      process.kill(pid, 'SIGSTOP');
      await sleep(700);
      process.kill(pid, 'SIGCONT');
      await sleep(50);
    }
    await client.finishes(MUCH_PATIENCE);
    assert.equal(client.length, text.length);
  });

  await t.test('because of a request of 60 MB', async () => {
    const client = floods('echo/chunks:200000');
    await client.isConnected();
    const answer = await post(bridge, pad('echo/text:5', 60 * MB));
    assert.equal(answer.status, 200, answer.text);
    await client.finishes(MUCH_PATIENCE);
    assert.equal(client.length, text.length);
  });
});

test('a restart under traffic takes a moment, and nobody is refused', async t => {
  const bridge = await startBridge(t);
  let isOver = false;
  const answers = [];
  const asks = (async () => {
    while (!isOver) {
      answers.push(await bridge.chat('echo', 'hi'));
      await sleep(50);
    }
  })();
  const others = Promise.all(Array.from({ length: 3 }, async () => {
    while (!isOver)
      answers.push(await bridge.chat('echo', 'hi'));
  }));
  const old = await bridge.pid('echo');
  await waitFor('it is asked', () => answers.length > 20);
  const began = performance.now();
  assert.equal((await bridge.run('restart', 'echo')).code, 0);
  await isGone(() => [old].filter(pid => readable(`/proc/${pid}/cmdline`)), { within: 6000, since: began });
  await bridge.isReplaced('echo', old);
  const count = answers.length;
  await waitFor('it is asked again', () => answers.length > count + 20);
  isOver = true;
  await asks;
  await others;
  for (const answer of answers)
    assert.equal(answer.status, 200, answer.text);
});

function readable(path) {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

test('turns that a stop cuts off say so', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_DRAIN_MS: '300', ECHO_MAX_RUNNING: '2' } });
  const stream = await bridge.streams('echo/silent_after:1,chunks:2', 'abcd').hears(/ab/);
  const whole = bridge.chat('echo/silent', 'x');
  await waitFor('both run', async () => (await bridge.get('/health')).json.backends[0].running === 2);
  const waiting = bridge.chat('echo', 'x');
  await waitFor('one waits', async () => (await bridge.get('/health')).json.backends[0].queued === 1);
  assert.equal((await bridge.run('restart', 'echo')).code, 0);
  await stream.fails('cancelled');
  assert.equal((await whole).status, 499, (await whole).text);
  assert.equal((await whole).json.error.code, 'cancelled');
  assert.equal((await waiting).json.error.code, 'draining', (await waiting).text);
  await bridge.isReady('echo');
  await bridge.answers('echo', 'hi');
});

test('a list that is longer than a message ends where it must, and says so', async t => {
  const { DatabaseSync } = await import('node:sqlite');
  const bridge = await startBridge(t);
  await bridge.answers('echo', 'hi', { session_id: 'one' });
  await bridge.answers('echo', 'hi', { session_id: 'two' });
  const some = (await bridge.get('/v1/sessions?limit=1')).json;
  assert.equal(some.data.length, 1);
  assert.equal(some.has_more, true);
  assert.equal((await bridge.get('/v1/sessions')).json.has_more, false);

  const db = new DatabaseSync(join(bridge.dataDirectory, 'sessions/echo.sqlite'));
  const insert = db.prepare(`INSERT INTO conversations(session, number, cli_id, cwd, n, asked, answer, turns, created_at, last_used_at)
    VALUES(?, 1, ?, ?, 0, 0, 0, 1, 1, 1)`);
  for (let n = 0; n < 400; n++)
    insert.run(`long-${n}`, 'x', '\u0001'.repeat(4090));
  db.close();
  const pid = await bridge.pid('echo');
  // A worker that is too slow for one answer is left out of it.
  const all = await waitFor('the list is there', async () => {
    const { json } = await bridge.get('/v1/sessions?limit=500');
    return json.data.length > 0 && json;
  });
  assert.ok(all.data.length > 300 && all.data.length < 402, `${all.data.length} rows`);
  assert.equal(all.has_more, true);
  assert.equal(await bridge.pid('echo'), pid);
});

// ---- other programs of the same user, at our sockets ----

const PUSH = 0x50, PULL = 0x51, REQ = 0x30;

const header = protocol => Buffer.from([0, 0x53, 0x50, 0, 0, protocol, 0, 0]);

function runDirectory(pid) {
  const variable = readFileSync(`/proc/${pid}/environ`).toString().split('\0').find(v => v.startsWith('CLI_BRIDGE_RUN_DIR='));
  return variable.slice(variable.indexOf('=') + 1);
}

// Resolves when it is connected, or refused.
function connects(path, protocol, ...then) {
  return comes('a connection, or a refusal', new Promise(done => {
    const socket = net.connect(path, () => {
      socket.write(Buffer.concat([header(protocol), ...then]));
      setTimeout(() => done(socket), 200);
    });
    socket.on('error', () => done(socket));
    socket.on('data', () => {});
  }));
}

test('nobody else gets our events, or makes us allocate what it likes', async t => {
  const bridge = await startBridge(t);
  const before = await pidsOf(bridge);
  const directory = runDirectory(before.gateway);

  await t.test('a puller is not let in', async () => {
    const thieves = await Promise.all(Array.from({ length: 5 }, () => connects(join(directory, 'echo.events'), PULL)));
    for (let n = 0; n < 5; n++) {
      const client = await bridge.streams('echo/chunks:20,delay:5', 'abcdefghij'.repeat(2)).finishes();
      assert.equal(client.text, 'abcdefghij'.repeat(2));
    }
    await waitFor('they are refused', () => thieves.every(socket => socket.destroyed || socket.readableEnded));
    thieves.forEach(socket => socket.destroy());
  });

  await t.test('nor is one that would ask a worker or the gateway to stop', async () => {
    for (const name of ['echo.req', 'gateway.req']) {
      const socket = await connects(join(directory, name), REQ);
      await waitFor(`${name} refuses it`, () => socket.destroyed || socket.readableEnded);
    }
  });

  await t.test('nor is one that cancels what runs, by its coming and going', async () => {
    const client = await bridge.streams('echo/chunks:40,delay:50', 'abcdefghij'.repeat(4)).hears(/a/);
    for (let n = 0; n < 5; n++)
      (await connects(join(directory, 'echo.orders'), PUSH)).destroy();
    await client.finishes();
  });

  await t.test('a length of 2^63 is refused before it is believed', async () => {
    const claim = Buffer.from([1, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    const protocols = { events: PULL, orders: PUSH, req: REQ };
    for (const name of readdirSync(directory)) {
      const protocol = protocols[name.split('.').at(-1)];
      if (protocol)
        (await connects(join(directory, name), protocol, claim)).destroy();
    }
    assert.equal((await bridge.answers('echo', 'hi')).content, 'hi');
    assert.deepEqual(await pidsOf(bridge), before);
  });
});
