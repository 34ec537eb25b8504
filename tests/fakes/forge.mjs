// A stand-in for ForgeCode's command line, which no package registry has.  It does what its documentation and
// its source of April 2026 say: reads a prompt to the end of its input, answers it rendered for a terminal,
// between titles of its own, keeps conversations by id, and exits with 0 whatever has happened.  Its model is
// the stand-in for OpenAI at FORGE_FAKE_URL.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { CLICOLOR_FORCE, FORGE_CONFIG, FORGE_FAKE_URL, FORGE_RESTRICTED, HOME } = process.env;
const base = FORGE_CONFIG ?? join(HOME, '.forge');

if (process.argv.includes('--version')) {
  console.log('forge 2.9.1');
  process.exit(0);
}

const style = (numbers, text) => CLICOLOR_FORCE ? `\x1b[${numbers}m${text}\x1b[0m` : text;
const dim = text => style(2, text.replaceAll('\x1b[0m', '\x1b[0m\x1b[2m')); // as its library nests them
const title = (colour, text, more) =>
  `${style(colour, '●')} ${dim(`[${new Date().toTimeString().slice(0, 8)}] `)}${text}${more ? ` ${dim(more)}` : ''}\n`;
const tell = (text, more) => process.stdout.write(title(36, dim(text), more));
const complain = text => process.stderr.write(title(31, style(31, `${style(1, 'ERROR:')} ${text}`)));

// A line as its renderer writes it, a bold word and a piece of code in it; what is dim is so piece by piece.
function render(text, isThought) {
  const write = piece => process.stdout.write(isThought ? dim(piece) : piece);
  for (const line of text.split('\n')) {
    write(line.replace(/\*\*(.+?)\*\*/g, (_, word) => style(1, word)).replace(/`(.+?)`/g, (_, word) => style(33, word)));
    write('\n');
  }
}

const prompt = readFileSync(0, 'utf8').trim();
if (prompt === '')
  throw new Error('it would want to talk with somebody');
const id = process.argv[process.argv.indexOf('--conversation-id') + 1] ?? randomUUID();
if (!existsSync(join(base, '.credentials.json'))) {
  complain('No default provider and model configured.');
  process.exit(0);
}
const directory = join(base, 'conversations');
mkdirSync(directory, { recursive: true });
const path = join(directory, `${id}.json`);
const isNew = !existsSync(path);
const messages = isNew ? [] : JSON.parse(readFileSync(path));
tell(`${isNew ? 'Initialize' : 'Continue'} ${id}`);

const instructions = ['AGENTS.md', join(base, 'AGENTS.md')].filter(existsSync).map(file => readFileSync(file, 'utf8'));
const attached = [...prompt.matchAll(/@\[([^\]]+)\]/g)].map(([, file]) => `<file>${readFileSync(file, 'utf8')}</file>`);
messages.push({ role: 'user', content: [prompt, ...attached].join('\n') });

// The pieces of an answer, put together to the message that they make.
async function read(response) {
  const message = { role: 'assistant' };
  let text = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream()))
    text += piece;
  if (!text.includes('data: [DONE]'))
    throw new Error('error decoding response body');
  for (const line of text.split('\n').filter(line => line.startsWith('data: {'))) {
    const { content, reasoning_content, tool_calls } = JSON.parse(line.slice(6)).choices[0]?.delta ?? {};
    for (const [member, value] of Object.entries({ content, reasoning_content }).filter(([, value]) => value))
      message[member] = (message[member] ?? '') + value;
    for (const { function: call, ...rest } of tool_calls ?? []) {
      message.tool_calls ??= [{ ...rest, function: { name: call.name, arguments: '' } }];
      message.tool_calls[0].function.arguments += call.arguments;
    }
  }
  return message;
}

async function ask() {
  const response = await fetch(`${FORGE_FAKE_URL}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer fake' },
    body: JSON.stringify({
      model: process.env.FORGE_SESSION__MODEL_ID ?? 'fake-large', stream: true,
      messages: [{ role: 'system', content: instructions.join('\n') }, ...messages],
    }),
  });
  if (!response.ok)
    throw new Error(`${response.status} ${response.statusText} Reason: ${await response.text()}`);
  return read(response);
}

function use({ id: tool_call_id, function: call }) {
  const { command } = JSON.parse(call.arguments);
  if (FORGE_RESTRICTED === 'true') {
    process.stdout.write(title(31, style(31, `${style(1, 'ERROR:')} Permission Denied`)));
    return { role: 'tool', tool_call_id, content: 'denied' };
  }
  tell('Execute [/bin/sh]', command);
  const { stdout } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
  process.stdout.write(stdout);
  return { role: 'tool', tool_call_id, content: stdout };
}

try {
  for (;;) {
    const message = await ask();
    messages.push(message);
    if (message.reasoning_content)
      render(message.reasoning_content, true);
    if (message.content)
      render(message.content, false);
    if (!message.tool_calls)
      break;
    messages.push(...message.tool_calls.map(use));
  }
  tell('Finished', id);
  writeFileSync(path, JSON.stringify(messages));
} catch (problem) {
  complain(problem.message);
}
