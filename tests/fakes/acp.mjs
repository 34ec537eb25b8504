// An agent that speaks the Agent Client Protocol, does as it is told, and keeps its sessions in its home.
//
//   node acp.mjs [forgetful]      forgetful: it can't open a session again
//   node acp.mjs choosy           it can be told one of two models, "small" and "large", but does not list them
//   node acp.mjs 5000             it takes so many ms to open a session again, in which it says what was said
//
// A prompt is a word that says how it goes, and what goes with it:
//
//   hello        "pid 7 turn 2: hello", as any other text
//   model        "model: large", the one that it was told
//   talk 50      so many words, one every 20 ms
//   aside        a word and, after the end of its turn, another one
//   deaf         a word, and then nothing, whatever it is told
//   wait         a word, and then nothing until it is told to stop
//   crash        the process ends
//   run COMMAND  what the command of a shell has said
//   spend 0.25   "spent", and so many dollars more than before
//   grow         it takes memory until it is killed
//   flood 800    so many small words at a time, or one, as often as anybody reads, until it is told to stop
//
// If there is a file "hang" in its home it removes it, and never answers at all.  Every prompt is a line of the
// file "acp-prompts" in its home.

import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const home = join(process.env.HOME, 'acp-sessions');
const forgetful = process.argv[2] === 'forgetful';
const choosy = process.argv[2] === 'choosy';
const readsBackMs = Number(process.argv[2]) || 0;
const stops = new Map(); // of the turns that are under way, by session

mkdirSync(home, { recursive: true });
const prompts = join(process.env.HOME, 'acp-prompts');
const hang = join(process.env.HOME, 'hang');
const isHung = existsSync(hang);
if (isHung)
  rmSync(hang);

const write = (message, done) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`, done);
const word = (sessionId, text) => ({
  method: 'session/update', params: { sessionId, update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } } },
});
const say = (sessionId, text) => write(word(sessionId, text));

const file = id => join(home, `${id}.json`);
const turnsOf = id => JSON.parse(readFileSync(file(id), 'utf8'));
function keep(id, turns) { // a disk may be full
  writeFileSync(`${file(id)}.new`, JSON.stringify(turns));
  renameSync(`${file(id)}.new`, file(id));
}

const FLOOD = 100; // lines at once
const chosen = new Map(); // models, by session
const spent = new Map(); // dollars, by session
const ways = {
  model(id, _, done) { say(id, `model: ${chosen.get(id) ?? 'its own'}`); done('end_turn'); },
  talk(id, count, done) {
    let n = 0;
    const timer = setInterval(() => {
      say(id, `${++n} `);
      if (n >= count)
        clearInterval(timer), done('end_turn');
    }, 20);
    stops.set(id, () => { clearInterval(timer); done('cancelled'); });
  },
  aside(id, _, done) {
    say(id, 'said');
    process.stdout.cork(); // both at once: its client may ask again as soon as it has heard the end
    done('end_turn');
    say(id, 'by the way');
    process.stdout.uncork();
  },
  deaf(id) { say(id, 'deaf'); },
  wait(id, _, done) { say(id, 'waiting'); stops.set(id, () => done('cancelled')); },
  spend(id, dollars, done) {
    spent.set(id, (spent.get(id) ?? 0) + dollars);
    say(id, 'spent');
    write({ method: 'session/update', params: { sessionId: id, update: {
      sessionUpdate: 'usage_update', used: 10, size: 1000, cost: { amount: spent.get(id), currency: 'USD' },
    } } });
    done('end_turn');
  },
  crash() { process.exit(3); },
  grow() { for (const kept = []; ;) kept.push(Buffer.alloc(1 << 20, 1)); },
  run(id, _, done, command) {
    let stopReason = 'end_turn';
    const shell = execFile('sh', ['-c', command], { cwd: directories.get(id) }, (problem, said, complained) => { say(id, `[${said}${complained}]`); done(stopReason); });
    stops.set(id, () => { stopReason = 'cancelled'; shell.kill('SIGKILL'); shell.stdout.destroy(); shell.stderr.destroy(); });
  },
  flood(id, count, done) {
    let stopped = false;
    stops.set(id, () => { stopped = true; });
    const block = `${JSON.stringify({ jsonrpc: '2.0', ...word(id, 'drop '.repeat(count || 1)) })}\n`.repeat(FLOOD);
    const more = () => stopped ? done('cancelled') : process.stdout.write(block, () => setImmediate(more));
    more();
  },
};

function prompt(id, { sessionId, prompt: blocks }) {
  const text = blocks.at(-1).text;
  appendFileSync(prompts, `${text}\n`);
  const [way, argument] = text.split(' ');
  const turns = [...turnsOf(sessionId), text];
  const done = stopReason => {
    stops.delete(sessionId);
    if (stopReason === 'end_turn')
      keep(sessionId, turns);
    write({ id, result: { stopReason } });
  };
  if (Object.hasOwn(ways, way))
    return ways[way](sessionId, Number(argument), done, text.slice(way.length + 1));
  say(sessionId, `pid ${process.pid} turn ${turns.length}: ${text}`);
  done('end_turn');
}

let opened = 0;
const directories = new Map(); // by session
const methods = {
  initialize: () => ({ protocolVersion: 1, agentCapabilities: { loadSession: !forgetful }, authMethods: [] }),
  'session/new'({ cwd }) {
    const sessionId = `s-${process.pid}-${Date.now()}-${++opened}`; // in a container the number of a process comes again
    directories.set(sessionId, cwd);
    keep(sessionId, []);
    return { sessionId };
  },
  async 'session/load'({ sessionId, cwd }) {
    directories.set(sessionId, cwd);
    for (const until = Date.now() + readsBackMs; Date.now() < until; await sleep(100))
      say(sessionId, 'as I said: ');
    return turnsOf(sessionId) && {};
  },
};
if (choosy)
  methods['session/set_model'] = ({ sessionId, modelId }) => ['small', 'large'].includes(modelId) && chosen.set(sessionId, modelId) && {};

async function hear({ id, method, params }) {
  if (isHung)
    return;
  if (method === 'session/prompt')
    prompt(id, params);
  else if (method === 'session/cancel')
    stops.get(params.sessionId)?.();
  else if (methods[method]) {
    const result = await methods[method](params);
    write(result ? { id, result } : { id, error: { code: -32602, message: `${method}: invalid params` } });
  }
  else if (id !== undefined)
    write({ id, error: { code: -32601, message: `no such method: ${method}` } });
}

let rest = '';
process.stdin.setEncoding('utf8').on('data', text => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  lines.forEach(line => hear(JSON.parse(line)));
}).on('end', () => process.exit(0));
