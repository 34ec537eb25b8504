// Loopback stand-ins for the vendors' clouds: the only thing the end-to-end tests fake.  The daemon,
// the CLIs and the client libraries in front of it are the real ones.
//
//   const cloud = await startAnthropic();          or startOpenAI(), startGemini()
//   cloud.next({ status: 429, headers: { 'retry-after': '7' } }, { text: 'second try' });
//   ... point the CLI at cloud.url, run turns ...
//   cloud.requests.at(-1).body.messages            and in any dialect .model, .system, .said (what the user said)
//   await cloud.close();
//
// Every request takes one behaviour: the next one queued, else the one set by always(), else {}.  It may be
// a function of the request.
//   {}                                the default answer, which proves what the model was shown
//   { text, chunks, thinking }        what to say; chunks are the deltas when words are not wanted
//   { toolUse: { name, input, id } }  ends the answer with a call of a tool, whose name may be a function of the
//                                     request; toolUses: with several
//   { until: promise }                waits for that before the first byte
//   { delayMs, firstDelayMs }         between deltas; before the first byte.  A model can ask for the same by its
//                                     name: fake-large@think:15000,pause:20
//   { until: promise }                waited for before the first byte
//   { tokens: { prompt, cached, output, reasoning } }    what it counts, in any dialect; null: it tells nothing
//   { usage, stopReason, headers }    overrides of the answer's trimmings
//   { status, error, type, headers }  an error in the vendor's envelope
//   { hang: true }                    takes the request, never answers
//   { hangAfter: n }, { cutAfter: n } n deltas, then silence, or then a destroyed socket
//   { raw: async (req, res) => {} }   anything else
//
// A history that the real vendor refuses is refused here as well: names and ids of calls that it does not take,
// and calls that nobody answers.
//
// What a CLI asks on its own account (is this model there? is the network there?) is answered kindly,
// uses up no behaviour and is kept apart in sideRequests; so is what the option isSide says of a request.
// refuse('name') makes a model unknown to both.  Each dialect is a file in vendors/.
//
// With the option takes: n it takes n bytes of each request in a second, and with 0 none of its body.
//
// On its own: node vendors.mjs anthropic|openai|gemini [port]

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import { anthropic } from './vendors/anthropic.mjs';
import { gemini } from './vendors/gemini.mjs';
import { openai } from './vendors/openai.mjs';
import { sendJson } from './vendors/words.mjs';

// What a model's name asks for: { firstDelayMs, delayMs }.
const SLOWNESS = { think: 'firstDelayMs', pause: 'delayMs' };
const slownessOf = model => Object.fromEntries([...`${model}`.split('@')[1]?.matchAll(/(think|pause):(\d+)/g) ?? []]
  .map(([, what, ms]) => [SLOWNESS[what], Number(ms)]));

// A CLI may give a tool another name in each conversation.
function withNames(behaviour, asked) {
  const named = use => typeof use?.name === 'function' ? { ...use, name: use.name(asked) } : use;
  return { ...behaviour, toolUse: named(behaviour.toolUse), toolUses: behaviour.toolUses?.map(named) };
}

// A body is read as slowly as is asked for; its sender has to wait.
const TAKES_EVERY_MS = 20;

function takeSlowly(req, bytesPerSecond) {
  req.pause();
  let allowed = 0;
  const timer = setInterval(() => {
    allowed = Math.min(allowed + bytesPerSecond * TAKES_EVERY_MS / 1000, bytesPerSecond);
    if (allowed > 0)
      req.resume();
  }, TAKES_EVERY_MS);
  req.on('data', piece => { if ((allowed -= piece.length) <= 0) req.pause(); });
  req.on('close', () => clearInterval(timer));
}

// The part that all vendors share: a server, a record of what it was asked, and a queue of what to do.
// openStreams is how many requests are being answered now, aborted how many of their clients left early.
async function start(dialect, { port = 0, record = true, isSide = () => false, takes = Infinity }) {
  const queue = [], refused = new Set();
  let standing = null, serial = 0;

  const cloud = {
    requests: [], sideRequests: [], openStreams: 0, aborted: 0,
    next(...behaviours) { queue.push(...behaviours); return cloud; },
    always(behaviour) { standing = behaviour; return cloud; },
    refuse(...models) { models.forEach(model => refused.add(model)); return cloud; },
    reset() {
      queue.length = cloud.requests.length = cloud.sideRequests.length = cloud.aborted = 0;
      refused.clear();
      standing = null;
      return cloud;
    },
    close() {
      server.closeAllConnections();
      return new Promise(done => server.close(done));
    },
  };

  async function answer(req, res, raw) {
    const path = req.url.split('?')[0];
    const asked = {
      method: req.method, path, url: req.url, headers: req.headers, raw, at: Date.now(),
      get model() { return dialect.model?.(this) ?? this.body?.model; },
      get system() { return dialect.system(this.body); },
      get said() { return dialect.said(this.body); },
    };
    try {
      asked.body = raw.length ? JSON.parse(raw) : undefined;
    } catch {
      return sendJson(res, 400, dialect.error(400, 'The body is not JSON.'));
    }
    const converse = dialect.conversations[`${req.method} ${dialect.route?.(path) ?? path}`];
    const isAside = !converse || dialect.isSide(asked) || isSide(asked);
    if (record)
      (isAside ? cloud.sideRequests : cloud.requests).push(asked);
    if (refused.has(asked.model))
      return sendJson(res, 404, dialect.error(404, dialect.unknownModel?.(asked.model) ?? `model: ${asked.model}`), dialect.headers(++serial));
    if (isAside)
      return converse ? converse(res, asked, { text: dialect.sideText ?? 'ok' }, ++serial) : dialect.other(req, res, path, asked.body);

    const refusal = asked.body && dialect.refuses?.(asked.body);
    if (refusal)
      return sendJson(res, 400, dialect.error(400, refusal), dialect.headers(++serial));

    const next = queue.shift() ?? standing ?? {};
    const behaviour = withNames({ ...slownessOf(asked.model), ...typeof next === 'function' ? next(asked) : next }, asked);
    cloud.openStreams++;
    res.cut = () => { res.isCut = true; res.destroy(); };
    res.on('close', () => {
      cloud.openStreams--;
      if (!res.writableFinished && !res.isCut)
        cloud.aborted++;
    });
    if (behaviour.firstDelayMs)
      await sleep(behaviour.firstDelayMs);
    await behaviour.until;
    if (behaviour.hang || res.destroyed)
      return;
    if (behaviour.raw)
      return behaviour.raw(req, res, asked);
    if (behaviour.status >= 400)
      return sendJson(res, behaviour.status, dialect.error(behaviour.status, behaviour.error, behaviour.type, behaviour.headers),
        { ...dialect.headers(++serial), ...behaviour.headers });
    return converse(res, asked, behaviour, ++serial);
  }

  const server = http.createServer((req, res) => {
    const pieces = [];
    if (takes !== Infinity)
      takeSlowly(req, takes);
    req.on('data', piece => pieces.push(piece));
    req.on('error', () => {});
    req.on('end', () => answer(req, res, pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)).catch(problem => {
      console.error(problem);
      res.destroy();
    }));
  });
  server.requestTimeout = 0;            // a slow 10 MB upload is a test, not an attack
  server.keepAliveTimeout = 60_000;     // or benchmarks race the server's own closing
  await new Promise((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  cloud.port = server.address().port;
  cloud.url = `http://127.0.0.1:${cloud.port}`;
  return cloud;
}

export const startAnthropic = (options = {}) => start(anthropic, options);
export const startOpenAI = (options = {}) => start(openai, options);
export const startGemini = (options = {}) => start(gemini, options);

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [vendor = 'anthropic', port = '0'] = process.argv.slice(2);
  const open = { anthropic: startAnthropic, openai: startOpenAI, gemini: startGemini }[vendor];
  if (!open) {
    console.error('usage: node vendors.mjs anthropic|openai|gemini [port]');
    process.exit(2);
  }
  // Nobody looks at the record here, and a benchmark would fill the memory with it.
  console.log((await open({ port: Number(port), record: false })).url);
}
