// echo: the bridge itself, with a CLI behind it that has nothing to think about.

import { memoryOf } from '../e2e/bridge.mjs';
import { median } from './numbers.mjs';
import { bridgeFor, cleanly, load, portOf, temporaryDirectory } from './tools.mjs';

const ROUNDS = 5, MS = 1000;
const STREAMS = 1000, DELTAS = 100, DELTA_MS = 20;
const BYTES = 5 * DELTAS; // about one word each

const said = [{ role: 'user', content: 'hello there' }];

async function turns(cleanup) {
  const directory = temporaryDirectory(cleanup);
  const bridge = await bridgeFor(cleanup, { backends: ['echo'], env: { ECHO_MAX_RUNNING: '16', ECHO_MAX_IDLE: '16' } });
  const rows = [];
  for (const clients of [1, 16]) {
    const rounds = [];
    for (let round = 0; round < ROUNDS + 1; round++) {
      const result = await load(directory, portOf(bridge.url), { clients, ms: MS, session: 'bench', body: { model: 'echo', messages: said } });
      if (round > 0) // which starts the CLIs
        rounds.push(result);
    }
    const who = `echo: ${clients} warm session${clients > 1 ? 's' : ''}`;
    rows.push({ what: `${who}, turns`, unit: '/s', ours: median(rounds.map(r => r.requests / r.seconds)) },
      { what: `${who}, a turn`, unit: 'ms', ours: median(rounds.map(r => r.whole.p50)) / 1000 });
  }
  return rows;
}

// Where much waits for a client, several deltas travel in one event.
const complete = result => {
  const merged = STREAMS * DELTAS - result.marks;
  return `${result.requests}/${STREAMS} complete${merged ? `, ${merged} deltas merged` : ''}`;
};

async function streams(cleanup) {
  const directory = temporaryDirectory(cleanup);
  const bridge = await bridgeFor(cleanup, {
    backends: ['echo'],
    env: { ECHO_MAX_RUNNING: '1024', ECHO_MAX_IDLE: '1024', ECHO_MAX_QUEUED: '1024', ECHO_MIN_FREE_MB: '0' },
  });
  const all = manner => load(directory, portOf(bridge.url), {
    clients: STREAMS, requests: STREAMS, session: 'bench', mark: '{"content":"',
    body: { model: `echo/text:${BYTES},chunks:${DELTAS}${manner}`, messages: said, stream: true },
  });
  const cold = await all(''), warm = await all(''), paced = await all(`,delay:${DELTA_MS}`);
  const [gateway, worker] = [await bridge.pid('gateway'), await bridge.pid('echo')].map(memoryOf);
  const what = `echo: ${STREAMS.toLocaleString('en')} streams of ${DELTAS}`;
  const ideal = DELTAS * DELTA_MS / 1000;
  return [
    { what: `${what}, CLIs not started yet`, unit: 's', ours: cold.seconds, goal: complete(cold) },
    { what: `${what}, warm`, unit: 's', ours: warm.seconds, goal: complete(warm) },
    { what: `${what}, warm, deltas`, unit: '/s', ours: STREAMS * DELTAS / warm.seconds },
    { what: `${what}, ${DELTA_MS} ms apart`, unit: 's', ours: paced.seconds, theirs: ideal, than: 'if for nothing', ratio: paced.seconds / ideal, goal: complete(paced) },
    { what: `${what}, gateway at its peak`, unit: 'MB', ours: gateway.peak },
    { what: `${what}, worker at its peak`, unit: 'MB', ours: worker.peak },
    { what: `${what}, both at their peaks`, unit: 'MB', ours: gateway.peak + worker.peak, goal: '<= 24 MB' },
  ];
}

export const echo = async () => [...await cleanly(turns), ...await cleanly(streams)];
