// A stand-in for Amp's command line, which works with an account in its vendor's cloud only.  It takes the
// options that the real one takes, says what its manual and the types of its SDK say that it says, and keeps
// its threads in its home; where the cloud would think, it asks the stand-in for Anthropic at AMP_URL.  What it
// says without a login, with a key that is refused and without a network was seen of the real one.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const flags = new Set(['--execute', '--stream-json', '--stream-json-thinking', '--stream-json-input',
  '--dangerously-allow-all', '--no-ide', '--no-notifications', '--no-color', '--no-archive-after-execute']);
const modes = { low: 'fake-small', medium: 'fake-large', high: 'fake-high', ultra: 'fake-ultra' };

const { AMP_API_KEY, AMP_URL = 'https://ampcode.com', HOME } = process.env;
const say = line => process.stdout.write(`${JSON.stringify(line)}\n`);

function die(...lines) {
  console.error(lines.join('\n'));
  process.exit(1);
}

if (process.argv.includes('--version')) {
  console.log('0.0.1790142911-g7618fb (released 2026-09-23T05:55:11.000Z, 2mo ago)');
  process.exit(0);
}

const args = process.argv.slice(2);
const id = args[0] === 'threads' && args[1] === 'continue' ? args.splice(0, 3)[2] : undefined;
let mode = 'medium';
for (const arg of args)
  if (arg.startsWith('--mode='))
    mode = arg.slice('--mode='.length);
  else if (!flags.has(arg))
    die(`Error: error: unknown option '${arg}'`);
if (!modes[mode])
  die(`Error: Unknown agent mode: ${mode}`);

if (!AMP_API_KEY && !existsSync(join(HOME, '.local/share/amp/secrets.json'))) {
  console.log('No API key found. Starting login flow...\nIf your browser does not open automatically, visit:\n');
  console.log('https://ampcode.com/auth/cli-login?authToken=0000\n\nWhen prompted, paste your code here: ');
  await new Promise(() => setInterval(() => {}, 1000));
}

const directory = join(HOME, '.cache/amp/threads');
mkdirSync(directory, { recursive: true });
const session_id = id ?? `T-${randomUUID()}`;
const path = join(directory, `${session_id}.json`);
if (id && !existsSync(path))
  die(`Error: Thread ${id} not found`);
const messages = id ? JSON.parse(readFileSync(path)) : [];
const unanswered = messages.at(-1)?.role === 'assistant' ? messages.at(-1).content.filter(({ type }) => type === 'tool_use') : [];
if (unanswered.length)
  messages.push({ role: 'user', content: unanswered.map(({ id: tool_use_id }) => ({ type: 'tool_result', tool_use_id, content: 'cancelled', is_error: true })) });
const instructions = ['AGENTS.md', join(HOME, '.config/amp/AGENTS.md')].filter(existsSync).map(file => readFileSync(file, 'utf8'));

// The events of an answer, put together to the message that they tell of.
async function read(response) {
  let message, text = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream()))
    text += piece;
  for (const event of text.split('\n').filter(line => line.startsWith('data: ')).map(line => JSON.parse(line.slice(6)))) {
    const block = message?.content[event.index];
    if (event.type === 'message_start')
      message = event.message;
    else if (event.type === 'content_block_start')
      message.content.push({ ...event.content_block, json: '' });
    else if (event.type === 'content_block_delta')
      for (const [member, value] of Object.entries(event.delta).filter(([member]) => member !== 'type'))
        block[member === 'partial_json' ? 'json' : member] += value;
    else if (event.type === 'message_delta')
      Object.assign(message, event.delta, { usage: event.usage });
    else if (event.type === 'message_stop')
      return { ...message, content: message.content.map(({ json, ...rest }) => json ? { ...rest, input: JSON.parse(json) } : rest) };
  }
  throw new Error('the connection was lost');
}

async function ask() {
  const response = await fetch(`${AMP_URL}/v1/messages`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-api-key': AMP_API_KEY ?? '' },
    body: JSON.stringify({ model: modes[mode], max_tokens: 1000, stream: true, system: instructions.join('\n'), messages }),
  }).catch(() => die(`Error: Couldn't connect to the Amp server at ${AMP_URL}/.`));
  if (response.status === 401)
    die("Error: Invalid or missing API key. Run 'amp login' to authenticate.");
  if (response.status === 404)
    throw new Error(`Unknown agent mode: ${mode}`);
  if (!response.ok)
    throw new Error(`${response.status} ${response.statusText}: ${(await response.json()).error.message}`);
  return read(response);
}

function use({ id: tool_use_id, input }) {
  const content = execFileSync('/bin/sh', ['-c', input.cmd], { encoding: 'utf8' });
  return { type: 'tool_result', tool_use_id, content, is_error: false };
}

function heard(message) {
  messages.push({ role: message.role, content: message.content });
  writeFileSync(path, JSON.stringify(messages));
  say({ type: message.role, message, parent_tool_use_id: null, session_id });
}

async function think() {
  for (;;) {
    const { id: messageId, model, content, stop_reason, stop_sequence, usage } = await ask();
    heard({ id: messageId, type: 'message', role: 'assistant', model, content, stop_reason, stop_sequence, usage });
    const uses = content.filter(({ type }) => type === 'tool_use');
    if (uses.length === 0)
      return content.filter(({ type }) => type === 'text').map(({ text }) => text).join('\n');
    heard({ role: 'user', content: uses.map(use) });
  }
}

const began = Date.now();
let turns = 0, result;
const ending = fields => say({ type: 'result', duration_ms: Date.now() - began, num_turns: turns, session_id, ...fields });
say({ type: 'system', subtype: 'init', cwd: process.cwd(), session_id, tools: ['Bash'], mcp_servers: [] });
try {
  for await (const line of createInterface({ input: process.stdin })) {
    heard({ role: 'user', content: JSON.parse(line).message.content });
    result = await think();
    turns++;
  }
  ending({ subtype: 'success', is_error: false, result });
} catch (problem) {
  ending({ subtype: 'error_during_execution', is_error: true, error: problem.message });
  process.exitCode = 1;
}
