// Claude Code: how long until the first word of an answer, from a stand-in that answers at once.
//
//   cold      `claude -p`, started for this one prompt
//   direct    one CLI that lives as long as its conversation, driven by this script over its stdin
//   bridge    the same, driven by the bridge: a session's further turns
//
// The flags, the environment and the working directory of the first two are those of the bridge's own CLI,
// read off its process.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { claudeEnv } from '../e2e/bridge.mjs';
import { median } from './numbers.mjs';
import { bridgeFor, cleanly, startVendor } from './tools.mjs';

const ROUNDS = 9, TURNS_A_ROUND = 6;
const PAUSE = 60; // ms, in which a CLI finishes what it does after an answer
const PROMPT = 'say something';

const firstText = line => line.type === 'stream_event' && line.event.delta?.type === 'text_delta';

// How the bridge runs it, but for the mark by which it finds its own processes.
function lookAt(pid) {
  const list = name => readFileSync(`/proc/${pid}/${name}`).toString().split('\0').filter(Boolean);
  const [command, ...flags] = list('cmdline');
  const env = Object.fromEntries(list('environ').map(text => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
  delete env.CLI_BRIDGE_OWNER;
  return { command: readlinkSync(`/proc/${pid}/exe`), argv0: command, flags, env, cwd: readlinkSync(`/proc/${pid}/cwd`) };
}

async function coldTurn({ command, env, cwd }) {
  const began = performance.now();
  const cli = spawn(command, ['-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    { env, cwd, stdio: ['pipe', 'pipe', 'ignore'] });
  cli.stdin.end(PROMPT);
  let first;
  for await (const text of createInterface({ input: cli.stdout }))
    if (!first && firstText(JSON.parse(text)))
      first = performance.now() - began;
  if (!first)
    throw new Error('claude -p has said nothing');
  return first;
}

class DirectCli {
  constructor({ command, flags, env, cwd }) {
    const own = flags.map((flag, i) => flags[i - 1] === '--session-id' ? randomUUID() : flag);
    this.cli = spawn(command, own, { env, cwd, stdio: ['pipe', 'pipe', 'ignore'] });
    createInterface({ input: this.cli.stdout }).on('line', text => this.hears?.(JSON.parse(text)));
  }

  #say(line) { this.cli.stdin.write(`${JSON.stringify(line)}\n`); }

  greets() {
    this.#say({ type: 'control_request', request_id: 'greet', request: { subtype: 'initialize' } });
    return new Promise(done => { this.hears = line => line.type === 'control_response' && done(); });
  }

  // The time to the first word; resolves at the end of the turn.
  turn() {
    const began = performance.now();
    let first;
    this.#say({
      type: 'user', message: { role: 'user', content: [{ type: 'text', text: PROMPT }] }, uuid: randomUUID(), client_composed: true,
    });
    return new Promise(done => {
      this.hears = line => {
        if (!first && firstText(line))
          first = performance.now() - began;
        if (line.type === 'result')
          done(first);
      };
    });
  }

  ends() { this.cli.kill(); }
}

const agent = new http.Agent({ keepAlive: true });

function bridgeTurn(bridge) {
  const body = JSON.stringify({ model: 'claude', stream: true, messages: [{ role: 'user', content: PROMPT }] });
  const began = performance.now();
  return new Promise((done, failed) => {
    const request = http.request(`${bridge.url}/v1/chat/completions`, {
      agent, method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-session-id': 'bench' },
    }, response => {
      let heard = '', first;
      response.setEncoding('utf8');
      response.on('data', text => {
        heard += text;
        if (!first && heard.includes('"delta":{"content":"'))
          first = performance.now() - began;
      });
      response.on('end', () => first && !heard.includes('"error"') ? done(first) : failed(new Error(heard)));
    });
    request.on('error', failed);
    request.end(body);
  });
}

async function measure(cleanup) {
  const cloud = await startVendor(cleanup, 'anthropic');
  const bridge = await bridgeFor(cleanup, { backends: ['claude'], env: claudeEnv(cloud) });
  const firstTurn = await bridgeTurn(bridge);
  const how = lookAt(bridge.clisOf('claude')[0].pid);
  const direct = new DirectCli(how);
  cleanup.after(() => direct.ends());
  await direct.greets();
  await direct.turn();

  const times = { cold: [], direct: [], bridge: [], firstTurn };
  for (let round = 0; round < ROUNDS; round++) {
    times.cold.push(await coldTurn(how));
    for (let turn = 0; turn < TURNS_A_ROUND; turn++) {
      const pair = [['direct', () => direct.turn()], ['bridge', () => bridgeTurn(bridge)]];
      for (const [name, take] of turn % 2 ? pair : pair.reverse()) {
        await sleep(PAUSE);
        times[name].push(await take());
      }
    }
  }
  agent.destroy();
  return times;
}

export async function claude() {
  const times = await cleanly(measure);
  const [cold, direct, bridge] = [times.cold, times.direct, times.bridge].map(median);
  // Of neighbours, so that what slows both of them down does not count.
  const added = median(times.bridge.map((time, turn) => time - times.direct[turn]));
  return [
    { what: 'claude: first word of a warm turn', unit: 'ms', ours: bridge, theirs: cold, than: 'cold start', ratio: cold / bridge, ratioUnit: 'x faster', goal: '>= 5' },
    { what: 'claude: the same against its stdin', unit: 'ms', ours: bridge, theirs: direct, than: 'direct', ratio: bridge / direct },
    { what: 'claude: added by the bridge', unit: 'ms', ours: added, goal: '<= 3 ms' },
    { what: 'claude: first word of a first turn', unit: 'ms', ours: times.firstTurn, theirs: cold, than: 'cold start', ratio: times.firstTurn / cold },
  ];
}
