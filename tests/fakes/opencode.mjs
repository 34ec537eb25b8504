// A stand-in for opencode that is as slow as it is told, at each stage: `serve` says what the real one was seen to
// say, of one short answer to every turn, and takes histories without looking at them.
//
//   FAKE_START_MS      until it listens
//   FAKE_OPEN_MS       until it has made a session
//   FAKE_MESSAGE_MS    for each message of a history
//   FAKE_ANSWER_MS     from a turn to its first word, and between its words
//   FAKE_WORDS         how many words it says
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

if (process.argv.includes('--version')) {
  console.log('1.18.33');
  process.exit(0);
}

const told = name => Number(process.env[`FAKE_${name}`] ?? 0);
const port = Number(process.argv.find(arg => arg.startsWith('--port=')).slice('--port='.length));
const listeners = new Set();
let serial = 0;

function say(type, properties) {
  for (const response of listeners)
    response.write(`data: ${JSON.stringify({ directory: '/', payload: { id: `evt_${serial++}`, type, properties } })}\n\n`);
}

async function answer(sessionID, prompt) {
  const id = `msg_z${serial++}`, partID = `prt_${serial++}`;
  const info = { id, parentID: prompt, role: 'assistant', sessionID, modelID: 'fake-large', providerID: 'fake', time: { created: 1 } };
  const part = { id: partID, messageID: id, sessionID, type: 'text', text: '' };
  say('message.updated', { sessionID, info: { id: prompt, role: 'user', sessionID, time: { created: 1 } } });
  say('message.updated', { sessionID, info });
  for (let n = 0; n < (told('WORDS') || 1); n++) {
    await sleep(told('ANSWER_MS'));
    if (n === 0)
      say('message.part.updated', { sessionID, part });
    say('message.part.delta', { sessionID, messageID: id, partID, field: 'text', delta: `word${n} ` });
    part.text += `word${n} `;
  }
  say('message.part.updated', { sessionID, part });
  say('message.updated', { sessionID, info: { ...info, finish: 'stop', time: { created: 1, completed: 2 } } });
  say('session.idle', { sessionID });
}

const provider = { id: 'fake', options: {}, models: { 'fake-large': {} } };
const id = path => path.split('/')[2];

const routes = [
  ['GET', /^\/global\/event$/, (body, path, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"payload":{"type":"server.connected"}}\n\n');
    listeners.add(response);
    response.on('close', () => listeners.delete(response));
    return null;
  }],
  ['GET', /^\/config\/providers$/, () => ({ providers: [provider], default: { fake: 'fake-large' } })],
  ['GET', /^\/config$/, () => ({ model: 'fake/fake-large' })],
  ['POST', /^\/session$/, async () => {
    await sleep(told('OPEN_MS'));
    return { id: `ses_${serial++}` };
  }],
  ['POST', /^\/sync\/replay$/, async ({ events }) => {
    await sleep(told('MESSAGE_MS') * events.filter(({ type }) => type === 'message.updated.1').length);
    return {};
  }],
  ['POST', /\/prompt_async$/, ({ messageID }, path) => {
    answer(id(path), messageID);
    return undefined;
  }],
  ['POST', /\/abort$/, (body, path) => {
    say('session.idle', { sessionID: id(path) });
    return true;
  }],
  ['POST', /\/revert$/, () => ({})],
  ['DELETE', /^\/session\//, () => true],
];

await sleep(told('START_MS'));
createServer(async (request, response) => {
  let text = '';
  for await (const piece of request)
    text += piece;
  const path = request.url.split('?')[0];
  const route = routes.find(([method, pattern]) => method === request.method && pattern.test(path));
  const reply = route ? await route[2](text && JSON.parse(text), path, response) : undefined;
  if (reply === null)
    return;
  response.writeHead(!route ? 404 : reply === undefined ? 204 : 200, { 'content-type': 'application/json' });
  response.end(reply === undefined ? '' : JSON.stringify(reply));
}).listen(port, '127.0.0.1', () => console.log(`opencode server listening on http://127.0.0.1:${port}`));
