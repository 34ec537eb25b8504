// passthrough: what a hop costs.  The same requests go to a server directly, through nginx, and through the
// bridge, in turns, many times; added is what is above the direct call.  And what many open streams cost in memory.

import { memoryOf } from '../e2e/bridge.mjs';
import { median } from './numbers.mjs';
import { bridgeFor, cleanly, load, portOf, startOrigin, startProxy, temporaryDirectory } from './tools.mjs';
import { startOpenAI } from '../fakes/vendors.mjs';

const ROUNDS = 7, MS = 500;
const CLIENTS = [1, 16, 64];
const STREAMS = 16, CHUNKS = 50, CHUNK_MS = 5;
const MANY = 1000, MANY_CHUNKS = 20, MANY_CHUNK_MS = 200;

const ANSWER = JSON.stringify({
  id: 'chatcmpl-1', object: 'chat.completion', created: 1700000000, model: 'fast',
  choices: [{ index: 0, message: { role: 'assistant', content: 'An answer of the length that answers to short questions have.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 12, total_tokens: 22 },
});

const question = (model, fields) =>
  ({ model, messages: [{ role: 'user', content: 'A question of the length that short questions have.' }], ...fields });

// The medians, over all rounds, of what `pick` takes of a measurement.
const over = (rounds, pick) => median(rounds.map(pick));

// { direct: [...], nginx: [...], bridge: [...] }
async function interleaved(directory, ways, options) {
  const results = Object.fromEntries(Object.keys(ways).map(way => [way, []]));
  for (let round = 0; round < ROUNDS + 1; round++)
    for (const [way, { port, model }] of Object.entries(ways)) {
      const result = await load(directory, port, { ...options, body: question(model, options.body) });
      if (round > 0) // before it connections are made
        results[way].push(result);
    }
  return results;
}

const latencyRows = (what, results, pick, goal) => {
  const [direct, nginx, bridge] = ['direct', 'nginx', 'bridge'].map(way => over(results[way], pick) / 1000);
  return [
    { what: `${what}, direct`, unit: 'ms', ours: direct },
    { what: `${what}, added`, unit: 'ms', ours: bridge - direct, theirs: nginx - direct, than: 'nginx', ratio: (bridge - direct) / (nginx - direct), goal },
  ];
};

const rateRow = (what, results, pick, goal) => {
  const [nginx, bridge] = ['nginx', 'bridge'].map(way => over(results[way], pick));
  return { what, unit: '/s', ours: bridge, theirs: nginx, than: 'nginx', ratio: bridge / nginx, goal };
};

async function measure(cleanup) {
  const directory = temporaryDirectory(cleanup);
  const origin = await startOrigin(cleanup, ANSWER);
  const vendor = await startOpenAI({ record: false });
  cleanup.after(() => vendor.close());
  const chunks = Array.from({ length: CHUNKS }, (_, n) => ` word${n}`);
  const [plainProxy, streamProxy] = await startProxy(cleanup, [origin, vendor.port]);
  const bridge = await bridgeFor(cleanup, {
    backends: ['passthrough'],
    env: {
      BRIDGE_PROVIDER_PLAIN_BASE_URL: `http://127.0.0.1:${origin}/v1`,
      BRIDGE_PROVIDER_STREAM_BASE_URL: `${vendor.url}/v1`,
    },
  });
  const rows = [], port = portOf(bridge.url);
  const plain = { direct: { port: origin, model: 'fast' }, nginx: { port: plainProxy, model: 'fast' }, bridge: { port, model: 'plain/fast' } };
  for (const clients of CLIENTS) {
    const results = await interleaved(directory, plain, { clients, ms: MS });
    const what = `passthrough: ${clients} client${clients > 1 ? 's' : ''}`;
    rows.push(...latencyRows(`${what}, median`, results, result => result.whole.p50, clients === 1 ? '<= 3' : ''),
      ...latencyRows(`${what}, 99%`, results, result => result.whole.p99),
      rateRow(`${what}, requests`, results, result => result.requests / result.seconds, clients === 64 ? '>= 0.5' : ''));
  }

  const streams = { direct: { port: vendor.port, model: 'fast' }, nginx: { port: streamProxy, model: 'fast' }, bridge: { port, model: 'stream/fast' } };
  const options = { clients: STREAMS, ms: MS, mark: '{"content":"', body: { stream: true } };
  vendor.always({ chunks, delayMs: CHUNK_MS });
  const slow = await interleaved(directory, streams, options);
  vendor.always({ chunks });
  const fast = await interleaved(directory, streams, options);
  const what = `passthrough: ${STREAMS} streams of ${CHUNKS}`;
  rows.push(...latencyRows(`${what}, first chunk`, slow, result => result.first.p50),
    rateRow(`${what}, ${CHUNK_MS} ms apart, chunks`, slow, result => result.marks / result.seconds),
    rateRow(`${what}, all at once, chunks`, fast, result => result.marks / result.seconds));
  return rows;
}

// Many streams that are open at once, and say little: what each of them costs in memory.
async function measureOpenStreams(cleanup) {
  const directory = temporaryDirectory(cleanup);
  const vendor = await startOpenAI({ record: false });
  cleanup.after(() => vendor.close());
  vendor.always({ chunks: Array.from({ length: MANY_CHUNKS }, (_, n) => ` word${n}`), delayMs: MANY_CHUNK_MS });
  const bridge = await bridgeFor(cleanup, { backends: ['passthrough'], env: { BRIDGE_PROVIDER_STREAM_BASE_URL: `${vendor.url}/v1` } });
  const pids = [await bridge.pid('gateway'), await bridge.pid('passthrough')];
  const result = await load(directory, portOf(bridge.url), {
    clients: MANY, requests: MANY, mark: '{"content":"', body: question('stream/fast', { stream: true }),
  });
  const [gateway, worker] = pids.map(memoryOf);
  const what = `passthrough: ${MANY.toLocaleString('en')} streams of ${MANY_CHUNKS}`;
  const ideal = MANY_CHUNKS * MANY_CHUNK_MS / 1000;
  const lost = MANY * MANY_CHUNKS - result.marks;
  return [
    { what: `${what}, ${MANY_CHUNK_MS} ms apart`, unit: 's', ours: result.seconds, theirs: ideal, than: 'if for nothing', ratio: result.seconds / ideal,
      goal: `${result.requests}/${MANY} complete${lost ? `, ${lost} chunks lost` : ''}` },
    { what: `${what}, gateway at its peak`, unit: 'MB', ours: gateway.peak },
    { what: `${what}, worker at its peak`, unit: 'MB', ours: worker.peak },
    { what: `${what}, both at their peaks`, unit: 'MB', ours: gateway.peak + worker.peak, goal: '<= 24 MB' },
  ];
}

export const openStreams = () => cleanly(measureOpenStreams);
export const proxy = async () => [...await cleanly(measure), ...await openStreams()];
