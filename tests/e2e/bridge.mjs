// The words of the end-to-end tests: a bridge that starts, processes that die, clients that come, hear and leave.
//
//   const bridge = await startBridge(t, { backends: ['echo'] });
//   const client = bridge.streams('echo/silent', 'hello');
//   await client.isConnected();
//   client.leaves();
//   await isGone(() => bridge.clisOf('echo'), { within: 500 });
//
// Each bridge has a data directory, a home and a port of its own, and only the variables that are named
// here.  After its test it is stopped: it must exit with 0, must have left no process behind, and no
// sanitizer may have complained.  If the test or any of that has failed, the log of all its processes is shown.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import http from 'node:http';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { IN_CONTAINERS, PATIENCE, comes, test } from './limits.mjs';

export { IN_CONTAINERS, PATIENCE, comes, test };

const root = resolve(import.meta.dirname, '../..');

// The one that is tested, and one without sanitizers for what is measured.
export const BUILD = process.env.BRIDGE_BUILD ?? join(root, 'build');
export const PLAIN_BUILD = process.env.BRIDGE_PLAIN_BUILD ?? BUILD;
export const CLAUDE_BIN = join(root, 'tests/node_modules/@anthropic-ai/claude-code-linux-x64/claude');

const LOG_LINES = 600; // that are shown

// How old the counts in /health and in status may be.
const HELLO_MS = 100;

// ---- time on a busy machine ----

// How long this process has run, and has waited for a processor, so far: the kernel counts it.
function processorTime() {
  try {
    const [ran, waited] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number);
    return { ran, waited };
  } catch {
    return { ran: 0, waited: 0 };
  }
}

// How many times slower than on a machine of its own this process has run since then; 1 is not at all.
function slownessSince(then) {
  const { ran, waited } = processorTime();
  return ran > then.ran ? 1 + (waited - then.waited) / (ran - then.ran) : 1;
}

// Measures the time that the bridge may take as a machine of its own would have: what it promises in milliseconds
// cannot hold in those in which others had the processors.
export function stopwatch(since = performance.now()) {
  const then = processorTime();
  return { ms: () => (performance.now() - since) / slownessSince(then) };
}

async function measureBusyness() {
  const then = processorTime();
  for (let n = 0; n < 20; n++) {
    for (const until = performance.now() + 3; performance.now() < until;);
    await sleep(1);
  }
  return slownessSince(then);
}

const BUSIEST = 10; // that is measured: longer deadlines would be beyond what settings may be

// How busy the machine is when a file of tests begins.
const busyness = Math.min(await measureBusyness(), BUSIEST);

// A deadline that a setting gives to the bridge, or a test to a program: so many milliseconds of a machine of its own.
export const onThisMachine = ms => Math.round(ms * busyness);

export async function waitFor(what, check, within = PATIENCE) {
  const until = performance.now() + within;
  for (;;) {
    const result = await comes(what, check(), Math.max(until - performance.now(), 1));
    if (result)
      return result;
    if (performance.now() > until)
      assert.fail(`not within ${within} ms: ${what}`);
    await sleep(10);
  }
}

// Random numbers from 0 to 1, the same for the same seed: a failure can be repeated.
export function* numbers(seed) {
  for (;;)
    yield (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000;
}

// Waits until a list is empty, counted from `since`: that is a promise of the bridge's, in a machine's own time.
export async function isGone(list, { within, since = performance.now() }) {
  const watch = stopwatch(since);
  for (;;) {
    const left = await list();
    const took = watch.ms();
    if (left.length === 0)
      return took;
    if (took > within)
      assert.fail(`still there after ${Math.round(took)} ms: ${JSON.stringify(left)}`);
    await sleep(5);
  }
}

export const says = (...texts) =>
  texts.map((content, n) => ({ role: n % 2 ? 'assistant' : 'user', content }));

// A message list is either given, or one user message.
const messagesOf = said => typeof said === 'string' ? says(said) : said;

// ---- processes ----

function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    return Buffer.alloc(0);
  }
}

// Every process with the mark, however it was started and whoever its parent is.
function marked(mark) {
  const wanted = `CLI_BRIDGE_OWNER=${mark}`;
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(name => {
    const variable = readProc(name, 'environ').toString('latin1').split('\0').find(v => v.startsWith(wanted));
    const command = readProc(name, 'cmdline').toString().replaceAll('\0', ' ').slice(0, 120);
    return variable && command ? [{ pid: Number(name), mark: variable.slice(wanted.length), command }] : [];
  });
}

// The first 64 bits of what the daemon calls itself: FNV-1a of its data directory.
function instanceOf(directory) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(realpathSync(directory)))
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16).padStart(16, '0');
}

export function memoryOf(pid) {
  const read = name => Number(readProc(pid, 'status').toString().match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1] ?? 0) / 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

export const descriptorsOf = pid => readdirSync(`/proc/${pid}/fd`).map(fd => {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, 'N');
  } catch {
    return 'gone';
  }
}).filter(target => target !== 'gone');

// Alive: it can still do something.  There: it may be dead, but nobody has seen to it yet.
export const isAlive = pid => readProc(pid, 'cmdline').length > 0;
export const isThere = pid => existsSync(`/proc/${pid}`);

// ---- clients ----

// One streamed answer, as far as it has come.
export class Client {
  chunks = [];       // every JSON event
  comments = [];
  raw = '';          // the body, if it is not a stream of events
  error = null;
  isDone = false;    // [DONE]
  ended = false;     // the response is over, well or not
  wasCut = false;    // by the other side, in the middle
  at = [];           // when each chunk came
  #rest = '';

  constructor(url, body, headers = {}, keep = true) {
    this.keep = keep;
    this.length = 0;
    const bytes = Buffer.from(JSON.stringify(body));
    this.startedAt = performance.now();
    this.request = http.request(new URL('/v1/chat/completions', url), {
      method: 'POST', agent: false,
      headers: { 'content-type': 'application/json', 'content-length': bytes.length, ...headers },
    }, response => this.#begins(response));
    this.request.on('error', problem => { this.problem = problem; this.ended = true; });
    this.request.end(bytes);
  }

  #begins(response) {
    this.response = response;
    this.status = response.statusCode;
    this.headers = response.headers;
    this.isEvents = /^text\/event-stream/.test(this.headers['content-type']);
    response.setEncoding('utf8');
    response.on('data', text => this.isEvents ? this.#hears(text) : this.raw += text);
    response.on('error', () => {});
    response.on('close', () => { this.wasCut = !response.complete; this.ended = true; });
  }

  #hears(text) {
    this.#rest += text;
    for (let end; (end = this.#rest.indexOf('\n\n')) >= 0; this.#rest = this.#rest.slice(end + 2))
      this.#event(this.#rest.slice(0, end).replace(/^\n+/, '')); // what ends a half-said event is empty
  }

  #event(event) {
    if (event === '')
      return;
    if (event.startsWith(':'))
      return void this.comments.push(event.slice(1).trim());
    assert.match(event, /^data: /);
    assert.equal(this.isDone, false, 'nothing comes after [DONE]');
    if (event === 'data: [DONE]')
      return void (this.isDone = true);
    const chunk = JSON.parse(event.slice(6));
    this.length += chunk.choices?.[0]?.delta?.content?.length ?? 0;
    if (chunk.error)
      this.error = chunk.error;
    if (this.keep) {
      this.chunks.push(chunk);
      this.at.push(performance.now());
    }
  }

  get deltas() { return this.chunks.flatMap(chunk => chunk.choices?.[0]?.delta ?? []); }
  get text() { return this.deltas.map(delta => delta.content ?? '').join(''); }
  get reasoning() { return this.deltas.map(delta => delta.reasoning_content ?? '').join(''); }
  get tools() { return this.chunks.flatMap(chunk => chunk.bridge?.tool ?? []); }
  get finish() { return this.chunks.map(chunk => chunk.choices?.[0]?.finish_reason).find(Boolean); }
  get usage() { return this.chunks.find(chunk => chunk.usage)?.usage; }
  get json() { return JSON.parse(this.raw); }

  async isConnected() {
    await waitFor('an answer begins', () => this.response || this.ended);
    return this;
  }

  async hears(pattern) {
    await waitFor(`the client hears ${pattern}`, () => this.text.match(pattern) || this.ended);
    assert.match(this.text, pattern);
    return this;
  }

  async ends(within = PATIENCE) {
    await waitFor('the answer ends', () => this.ended, within);
    return this;
  }

  // A stream that came to its end well.
  async finishes(within) {
    await this.ends(within);
    assert.equal(this.error, null);
    assert.equal(this.problem, undefined);
    assert.equal(this.status, 200, this.raw);
    assert.equal(this.wasCut, false);
    assert.equal(this.isDone, true);
    return this;
  }

  async fails(code, within) {
    await this.ends(within);
    const error = this.error ?? this.json.error;
    assert.equal(error.code, code, error.message);
    if (this.isEvents)
      assert.equal(this.isDone, true);
    assert.equal(this.finish, undefined, 'what failed has not finished');
    return error;
  }

  leaves() {
    this.leftAt = performance.now();
    this.request.destroy();
    return this;
  }
}

// ---- the bridge ----

const READY = /cli-bridge ready at (http:\/\/\S+?)\/?\s/;

class Bridge {
  constructor({ env, backends, build, directory, within, stdio, ready }) {
    this.within = within;
    this.stdio = stdio;
    this.readyLine = ready;
    this.directory = directory;
    this.dataDirectory = join(directory, 'data');
    this.command = join(build, 'cli-bridge');
    this.backends = backends;
    this.arguments = []; // before the command
    mkdirSync(join(directory, 'home'), { recursive: true });
    mkdirSync(this.dataDirectory, { recursive: true, mode: 0o700 });
    this.env = {
      PATH: process.env.PATH, HOME: join(directory, 'home'), LANG: 'C.UTF-8',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      LSAN_OPTIONS: `print_suppressions=0:suppressions=${join(root, 'tests/lsan.supp')}`,
      BRIDGE_PORT: '0', BRIDGE_DATA_DIR: this.dataDirectory, BRIDGE_BACKENDS: backends.join(','),
      BRIDGE_HELLO_MS: String(HELLO_MS),
      BRIDGE_START_MS: onThisMachine(30_000), BRIDGE_HUNG_MS: onThisMachine(15_000), BRIDGE_CANCEL_MS: onThisMachine(250),
      BRIDGE_SPARES: '0', // so that tests can count processes
      BRIDGE_JAIL_READS: ['tests/node_modules', 'tests/fakes'].map(path => join(root, path)).join(), // what the scripts of clis.mjs start
      BRIDGE_HEAD_MS: '0', // a stream begins when its turn was taken: what isConnected() waits for
      ...env,
    };
    this.instance = instanceOf(this.dataDirectory);
    this.log = '';
  }

  // Resolves when it says that it is ready, or has ended instead.
  async starts() {
    this.output = '';
    this.exit = null;
    this.url = null;
    const [program, ...args] = [...this.within, this.command, ...this.arguments, 'serve'];
    this.daemon = spawn(program, args, { cwd: this.directory, env: this.env, stdio: this.stdio });
    this.daemon.stdout?.on('data', text => { this.output += text; });
    this.daemon.stderr?.on('data', text => { this.log += text; });
    const daemon = this.daemon;
    daemon.on('error', problem => { this.log += problem; this.exit = { code: null, signal: null }; });
    daemon.on('exit', (code, signal) => { if (daemon === this.daemon) this.exit = { code, signal }; });
    await waitFor('the ready line', () => this.readyLine.test(this.output + this.log) || this.exit);
    this.url = this.output.match(READY)?.[1];
    return this;
  }

  // Resolves when its log has these words, which may come after the answer that they are about.
  logs(words) {
    return waitFor(`the log has ${words}`, () => words instanceof RegExp ? words.test(this.log) : this.log.includes(words));
  }

  async isReady(...names) {
    for (const name of names.length ? names : this.backends)
      await waitFor(`${name} is ready`, async () => {
        const health = await this.get('/health').catch(() => null);
        return health?.json?.backends.find(row => row.name === name)?.state === 'ready';
      });
    return this;
  }

  // A run of the command line: { code, stdout, stderr }.
  run(...args) {
    return new Promise(done => execFile(this.command, args, { env: this.env, cwd: this.directory, timeout: PATIENCE },
      (error, stdout, stderr) => done({ code: error ? error.code ?? error.signal : 0, stdout, stderr })));
  }

  async status() {
    const { stdout, stderr } = await this.run('status', '--json');
    assert.notEqual(stdout, '', stderr);
    const status = JSON.parse(stdout);
    return status.processes ?? status;
  }

  async row(name) { return (await this.status()).find(row => row.name === name); }
  async pid(name) { return name === 'supervisor' ? this.daemon.pid : (await this.row(name)).pid; }

  // Also if something else has started it.
  supervisorPid() { return Number(readFileSync(join(this.dataDirectory, 'lock'), 'utf8').split('\n')[0]); }

  async kill(name, signal = 'SIGKILL') {
    const pid = await this.pid(name);
    process.kill(pid, signal);
    return pid;
  }

  // Up again, as another process than `old`.
  async isReplaced(name, old) {
    await waitFor(`${name} is replaced`, async () => {
      const row = await this.row(name).catch(() => null);
      return row?.state === 'RUNNING' && row.pid !== old;
    });
    if (name !== 'gateway')
      await this.isReady(name);
  }

  processesOf(name) { return marked(`${this.instance}/${name}/`); }
  clisOf(name) { return this.processesOf(name).filter(({ mark }) => /^\d/.test(mark)); }
  processes() { return marked(`${this.instance}/`); }

  // HTTP, without a library's opinion: { status, headers, text, json }.
  request(method, path, { headers = {}, body, url = this.url, patience = PATIENCE } = {}) {
    const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return comes(`the answer to ${method} ${path} ends`, new Promise((done, failed) => {
      const request = http.request(new URL(path, url), {
        method, agent: false,
        headers: { ...(bytes !== undefined && { 'content-type': 'application/json' }), ...headers },
      }, response => {
        const pieces = [];
        response.on('data', piece => pieces.push(piece));
        response.on('error', failed);
        response.on('end', () => {
          const answer = { status: response.statusCode, headers: response.headers, bytes: Buffer.concat(pieces) };
          answer.text = answer.bytes.toString();
          try {
            answer.json = JSON.parse(answer.text);
          } catch { /* it is none */ }
          done(answer);
        });
      });
      request.on('error', failed);
      request.end(bytes);
    }), patience);
  }

  get(path, options) { return this.request('GET', path, options); }
  post(path, body, headers) { return this.request('POST', path, { body, headers }); }

  // A turn that is not streamed; `content` is what was answered.
  async chat(model, said, fields = {}, headers = {}) {
    const answer = await this.post('/v1/chat/completions', { model, messages: messagesOf(said), ...fields }, headers);
    answer.content = answer.json?.choices?.[0]?.message?.content;
    return answer;
  }

  async answers(...turn) {
    const answer = await this.chat(...turn);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.choices[0].finish_reason, 'stop');
    return answer;
  }

  async refuses(status, code, ...turn) {
    const answer = await this.chat(...turn);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.json.error.code, code, answer.text);
    return answer;
  }

  streams(model, said, fields = {}, { headers, keep } = {}) {
    return new Client(this.url, { model, messages: messagesOf(said), stream: true, ...fields }, headers, keep);
  }

  async isIdle() {
    await sleep(2 * HELLO_MS);
    await waitFor('no turn runs', async () =>
      (await this.get('/health')).json.backends.every(row => !row.running && !row.queued));
  }

  async stops(signal = 'SIGTERM') {
    if (!this.exit)
      this.daemon.kill(signal);
    await waitFor('it stops', () => this.exit);
    return this.exit;
  }

  showLog() {
    console.error(`---- log of ${this.directory}\n${this.log.split('\n').filter(line => !line.includes(' GET "/health": ')).slice(-LOG_LINES).join('\n')}\n----`);
  }
}

function complaintsIn(log) {
  return log.split('\n').filter(line => /(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|Assertion .* failed/.test(line));
}

async function ends(bridge, t, expectedExit) {
  try {
    assert.deepEqual(await bridge.stops(), expectedExit);
    await isGone(() => bridge.processes(), { within: 1000 });
    assert.deepEqual(complaintsIn(bridge.log), []);
  } catch (problem) {
    bridge.showLog();
    bridge.daemon.kill('SIGKILL');
    bridge.processes().forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
    throw problem;
  }
  if (!t.passed)
    bridge.showLog();
}

// `env` may be a function of the bridge's home.  `exit` is what it must exit with in the end, if not with 0 after
// SIGTERM.  With `waits` false it is left to the test to see what becomes of it.  `within` are the words of a
// command that runs it, and `stdio` is what it gets, as in spawn().
// With BRIDGE_TEST_EXECUTOR=docker every CLI runs in containers of the image BRIDGE_TEST_IMAGE, which has them all: as
// others than the programs that `variables` name.
function inContainers(directory, backends, variables) {
  if (!IN_CONTAINERS)
    return variables;
  const others = Object.entries(variables).filter(([name]) => !name.endsWith('_BIN'));
  return {
    BRIDGE_DEFAULT_EXECUTOR: 'docker', DOCKER_HOST: process.env.DOCKER_HOST, BRIDGE_DOCKER_NETWORK: 'host',
    BRIDGE_DOCKER_IMAGE: process.env.BRIDGE_TEST_IMAGE, BRIDGE_DOCKER_POOL_SIZE: '2',
    BRIDGE_DOCKER_WORKSPACE_ROOT: directory,
    ...Object.fromEntries(backends.map(name => [`${name.toUpperCase()}_DOCKER_NAME_PREFIX`, `${basename(directory)}-${name}`])),
    ...Object.fromEntries(others),
  };
}

export async function startBridge(t, { env = {}, backends = ['echo'], build = BUILD, exit, waits = true, ready = READY, within = [], stdio = ['ignore', 'pipe', 'pipe'], prepare = () => {} } = {}) {
  const directory = mkdtempSync('/tmp/bridge-');
  const variables = inContainers(directory, backends, typeof env === 'function' ? env(join(directory, 'home')) : env);
  const bridge = new Bridge({ env: variables, backends, build, directory, within, stdio, ready });
  t.after(async () => {
    try {
      await ends(bridge, t, exit ?? { code: 0, signal: null });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  prepare(directory);
  await bridge.starts();
  if (waits) {
    assert.ok(bridge.url, `it has not started: ${JSON.stringify(bridge.exit)}\n${bridge.log}`);
    await bridge.isReady();
  }
  return bridge;
}

// What makes real Claude Code talk to a stand-in, and to nobody else.
export const claudeEnv = cloud => ({
  CLAUDE_BIN,
  CLAUDE_ENV_ANTHROPIC_BASE_URL: cloud.url,
  CLAUDE_ENV_ANTHROPIC_API_KEY: 'sk-ant-loopback',
  CLAUDE_ENV_IS_SANDBOX: '1', // it refuses to run as root without being asked about it, anywhere else
});
