// Many clients that are slow, large or gone, and one that is none of that: it notices nothing.
import assert from 'node:assert/strict';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { PATIENCE, PLAIN_BUILD, memoryOf, says, startBridge, test, waitFor } from './bridge.mjs';

const CHAT = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

const chat = (model, fields = {}) => {
  const body = JSON.stringify({ model, messages: says('x'), ...fields });
  return `${CHAT}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

function connect(bridge) {
  const socket = net.connect(Number(new URL(bridge.url).port), '127.0.0.1');
  socket.on('error', () => {});
  return socket;
}

// Asks for the health until it is told to stop: the longest that an answer took, in ms.
function watchHealth(bridge) {
  let stopped = false;
  const watching = (async () => {
    let longest = 0;
    while (!stopped) {
      const before = performance.now();
      assert.equal((await bridge.get('/health')).status, 200);
      longest = Math.max(longest, performance.now() - before);
      await sleep(50);
    }
    return longest;
  })();
  return { stop: () => { stopped = true; return watching; } };
}

test('2,000 half requests', async t => {
  const bridge = await startBridge(t, { build: PLAIN_BUILD });
  const stream = await bridge.streams('echo/chunks:100,delay:30', 'x'.repeat(100)).isConnected();
  const health = watchHealth(bridge);
  const sockets = Array.from({ length: 2000 }, (_, n) => {
    const socket = connect(bridge);
    socket.write(n % 2 ? 'GET /health HTTP/1.1\r\nHost:' : `${CHAT}Content-Length: 1000\r\n\r\n{"model":`);
    return socket;
  });
  await waitFor('all have come', () => sockets.every(socket => !socket.connecting));
  await stream.finishes();
  assert.equal(stream.text, 'x'.repeat(100));
  t.diagnostic(`health took ${(await health.stop()).toFixed(0)} ms at most; the gateway's peak is ${memoryOf(await bridge.pid('gateway')).peak.toFixed(1)} MB`);
  sockets.forEach(socket => socket.destroy());
});

test('1,000 readers of 1 KB/s', async t => {
  const bridge = await startBridge(t, { build: PLAIN_BUILD, env: { ECHO_MAX_RUNNING: '2000', ECHO_MAX_IDLE: '0' } });
  const health = watchHealth(bridge);
  const sockets = Array.from({ length: 1000 }, () => {
    const socket = connect(bridge);
    socket.heard = 0;
    socket.setNoDelay(true).pause();
    socket.write(chat('echo/text:200000', { stream: true }));
    return socket;
  });
  const reading = setInterval(() => sockets.forEach(socket => { socket.heard += socket.read(1024)?.length ?? 0; }), 1000);
  t.after(() => clearInterval(reading));
  await waitFor('all have heard something', () => sockets.every(socket => socket.heard > 0), 3 * PATIENCE);
  const stream = await bridge.streams('echo/chunks:50,delay:30', 'x'.repeat(50)).finishes();
  assert.equal(stream.text, 'x'.repeat(50));
  const [gateway, worker] = [memoryOf(await bridge.pid('gateway')), memoryOf(await bridge.pid('echo'))];
  t.diagnostic(`health took ${(await health.stop()).toFixed(0)} ms at most; peaks: gateway ${gateway.peak.toFixed(0)} MB, worker ${worker.peak.toFixed(0)} MB`);
  assert.ok(gateway.peak < 700, 'a window for each of them, framed, and what the daemon needs itself');
  sockets.forEach(socket => socket.destroy());
  await waitFor('nothing runs', async () => (await bridge.get('/health')).json.backends.every(row => !row.running));
});
