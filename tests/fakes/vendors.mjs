// Loopback stand-ins for the vendors' clouds: the only thing the end-to-end tests fake.  The daemon,
// the CLIs and the client libraries in front of it are the real ones.
//
//   const cloud = await startAnthropic();          or startOpenAI()
//   cloud.next({ status: 429, headers: { 'retry-after': '7' } }, { text: 'second try' });
//   ... point the CLI at cloud.url, run turns ...
//   cloud.requests.at(-1).body.messages
//   await cloud.close();
//
// Every request takes one behaviour: the next one queued, else the one set by always(), else {}.
//   {}                                the default answer, which proves what the model was shown
//   { text, chunks, thinking }        what to say; chunks are the deltas when words are not wanted
//   { toolUse: { name, input, id } }  ends the answer with a call of a tool
//   { delayMs, firstDelayMs }         between deltas; before the first byte
//   { usage, stopReason, headers }    overrides of the answer's trimmings
//   { status, error, type, headers }  an error in the vendor's envelope
//   { hang: true }                    takes the request, never answers
//   { hangAfter: n }, { cutAfter: n } n deltas, then silence, or then a destroyed socket
//   { raw: async (req, res) => {} }   anything else
//
// What a CLI asks on its own account (is this model there? is the network there?) is answered kindly,
// uses up no behaviour and is kept apart in sideRequests.  refuse('name') makes a model unknown to both.
//
// On its own: node vendors.mjs anthropic|openai [port]

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// A longer text is quoted by its size: echoing a 10 MB prompt would test the way back, not the way in.
const LONGEST_QUOTE = 200;

const quote = text => text.length > LONGEST_QUOTE ? `(${text.length} characters)` : text;
const words = text => text.match(/\s*\S+\s*$|\s*\S+/g) ?? (text ? [text] : []);
const asText = content => typeof content === 'string' ? content
  : (content ?? []).filter(part => part.type === 'text').map(part => part.text).join('\n');

function defaultText(texts, toolText) {
  const before = texts.map(quote);
  const last = before.pop() ?? '';
  const tool = toolText === undefined ? '' : `; the tool said "${quote(toolText)}"`;
  return `turn ${texts.length}: you said "${last}"; before: ${JSON.stringify(before)}${tool}`;
}

// What a dialect says is a list of [frame, isDelta].  Without delays it leaves in one write, which is
// what a benchmark wants of its upstream; with delays each delta is a packet of its own.
async function sendFrames(res, frames, { delayMs, firstDelayMs, hangAfter, cutAfter }) {
  const stopAt = hangAfter ?? cutAfter ?? Infinity;
  let sent = 0, unsent = '';
  for (const [frame, isDelta] of frames) {
    if (isDelta && sent++ === stopAt)
      break;
    unsent += frame;
    if (delayMs !== undefined && isDelta) {
      res.write(unsent);
      unsent = '';
      await sleep(delayMs);
      if (res.destroyed)
        return;
    }
  }
  if (stopAt === Infinity)
    return res.end(unsent);
  // A cut must come after the bytes before it: destroying at once would lose them with the socket.
  res.write(unsent || '\n', () => { if (cutAfter !== undefined) setTimeout(() => res.cut(), 20); });
}

function sendWhole(res, body, { hangAfter, cutAfter }) {
  const text = JSON.stringify(body);
  if (hangAfter === undefined && cutAfter === undefined)
    return res.end(text);
  res.write(text.slice(0, text.length / 2), () => { if (cutAfter !== undefined) setTimeout(() => res.cut(), 20); });
}

function sendJson(res, status, body, headers) {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

// The part that all vendors share: a server, a record of what it was asked, and a queue of what to do.
// openStreams is how many requests are being answered now, aborted how many of their clients left early.
async function start(dialect, { port = 0, record = true }) {
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
    const asked = { method: req.method, path, url: req.url, headers: req.headers, raw, at: Date.now() };
    try {
      asked.body = raw.length ? JSON.parse(raw) : undefined;
    } catch {
      return sendJson(res, 400, dialect.error(400, 'The body is not JSON.'));
    }
    const converse = dialect.conversations[`${req.method} ${path}`];
    const isSide = !converse || dialect.isSide(asked);
    if (record)
      (isSide ? cloud.sideRequests : cloud.requests).push(asked);
    if (refused.has(asked.body?.model))
      return sendJson(res, 404, dialect.error(404, `model: ${asked.body.model}`), dialect.headers(++serial));
    if (isSide)
      return converse ? converse(res, asked.body, { text: 'ok' }, ++serial) : dialect.other(req, res, path, asked.body);

    const behaviour = queue.shift() ?? standing ?? {};
    cloud.openStreams++;
    res.cut = () => { res.isCut = true; res.destroy(); };
    res.on('close', () => {
      cloud.openStreams--;
      if (!res.writableFinished && !res.isCut)
        cloud.aborted++;
    });
    if (behaviour.firstDelayMs)
      await sleep(behaviour.firstDelayMs);
    if (behaviour.hang || res.destroyed)
      return;
    if (behaviour.raw)
      return behaviour.raw(req, res, asked);
    if (behaviour.status >= 400)
      return sendJson(res, behaviour.status, dialect.error(behaviour.status, behaviour.error, behaviour.type),
        { ...dialect.headers(++serial), ...behaviour.headers });
    return converse(res, asked.body, behaviour, ++serial);
  }

  const server = http.createServer((req, res) => {
    const pieces = [];
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

// ---- Anthropic ----

const anthropicErrors = {
  400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error',
  413: 'request_too_large', 429: 'rate_limit_error', 500: 'api_error', 529: 'overloaded_error',
};

// Claude Code puts reminders of its own among the user's words; they are no part of what was said.
const isReminder = text => text?.startsWith('<system-reminder>');
const said = content => typeof content === 'string' ? (isReminder(content) ? '' : content)
  : asText(content.filter(part => !isReminder(part.text)));

function userTexts(messages) {
  return messages.filter(message => message.role === 'user').map(message => said(message.content)).filter(text => text !== '');
}

function anthropicAnswer(body, behaviour, serial) {
  const results = [body.messages.at(-1)?.content ?? []].flat().filter(part => part.type === 'tool_result');
  const text = behaviour.chunks?.join('') ?? behaviour.text
    ?? (behaviour.toolUse ? '' : defaultText(userTexts(body.messages), results.length ? asText(results.at(-1).content) : undefined));
  const blocks = [];
  if (behaviour.thinking)
    blocks.push({ type: 'thinking', thinking: behaviour.thinking, signature: 'c2lnbmVk' });
  if (text)
    blocks.push({ type: 'text', text });
  if (behaviour.toolUse) {
    const { id = `toolu_${serial}`, name, input = {} } = behaviour.toolUse;
    blocks.push({ type: 'tool_use', id, name, input });
  }
  return {
    id: `msg_${serial}`, type: 'message', role: 'assistant', model: body.model, content: blocks,
    stop_reason: behaviour.stopReason ?? (behaviour.toolUse ? 'tool_use' : 'end_turn'), stop_sequence: null,
    usage: { input_tokens: 10, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: words(text).length, ...behaviour.usage },
  };
}

function anthropicFrames(message, chunks) {
  const frames = [];
  const say = (type, fields, isDelta = false) =>
    frames.push([`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`, isDelta]);
  say('message_start', { message: { ...message, content: [], stop_reason: null, usage: { ...message.usage, output_tokens: 1 } } });
  say('ping');
  message.content.forEach((block, index) => {
    const open = content_block => say('content_block_start', { index, content_block });
    const delta = fields => say('content_block_delta', { index, delta: fields }, true);
    if (block.type === 'thinking') {
      open({ type: 'thinking', thinking: '', signature: '' });
      words(block.thinking).forEach(thinking => delta({ type: 'thinking_delta', thinking }));
      say('content_block_delta', { index, delta: { type: 'signature_delta', signature: block.signature } });
    } else if (block.type === 'text') {
      open({ type: 'text', text: '' });
      (chunks ?? words(block.text)).forEach(text => delta({ type: 'text_delta', text }));
    } else {
      open({ ...block, input: {} });
      const json = JSON.stringify(block.input), half = json.length >> 1;
      [json.slice(0, half), json.slice(half)].forEach(partial_json => delta({ type: 'input_json_delta', partial_json }));
    }
    say('content_block_stop', { index });
  });
  say('message_delta', { delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: message.usage });
  say('message_stop');
  return frames;
}

const anthropic = {
  error: (status, message = `scripted ${status}`, type) =>
    ({ type: 'error', error: { type: type ?? anthropicErrors[status] ?? 'api_error', message }, request_id: 'req_scripted' }),
  headers: serial => ({ 'request-id': `req_${serial}` }),

  // Claude Code asks an unknown model for one token before it switches to it.
  isSide: ({ body }) => body?.max_tokens === 1,

  conversations: {
    'POST /v1/messages'(res, body, behaviour, serial) {
      const message = anthropicAnswer(body, behaviour, serial);
      const headers = { ...anthropic.headers(serial), ...behaviour.headers };
      if (body.stream) {
        res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...headers });
        return sendFrames(res, anthropicFrames(message, behaviour.chunks), behaviour);
      }
      res.writeHead(200, { 'content-type': 'application/json', ...headers });
      return sendWhole(res, message, behaviour);
    },
  },

  other(req, res, path, body) {
    if (path === '/v1/messages/count_tokens')
      return sendJson(res, 200, { input_tokens: Math.ceil(JSON.stringify(body ?? '').length / 4) });
    if (path === '/v1/models')
      return sendJson(res, 200, { data: [], has_more: false });
    if (req.method === 'HEAD' || path === '/')
      return res.writeHead(200).end();
    return sendJson(res, 404, anthropic.error(404));
  },
};

export const startAnthropic = (options = {}) => start(anthropic, options);

// ---- OpenAI ----

function openaiUsage(body, text, behaviour) {
  const completion_tokens = words(text).length;
  return { prompt_tokens: 10, completion_tokens, total_tokens: 10 + completion_tokens, ...behaviour.usage };
}

const logprobs = pieces => ({
  content: pieces.map(token => ({ token, logprob: -0.25, bytes: [...Buffer.from(token)], top_logprobs: [] })), refusal: null,
});

function openaiParts(body, behaviour, serial) {
  const last = body.messages.at(-1);
  const text = behaviour.chunks?.join('') ?? behaviour.text
    ?? (behaviour.toolUse ? '' : defaultText(body.messages.filter(message => message.role === 'user').map(message => asText(message.content)),
      last?.role === 'tool' ? asText(last.content) : undefined));
  const call = behaviour.toolUse && {
    id: behaviour.toolUse.id ?? `call_${serial}`, type: 'function',
    function: { name: behaviour.toolUse.name, arguments: JSON.stringify(behaviour.toolUse.input ?? {}) },
  };
  return { text, call, finish_reason: behaviour.stopReason ?? (call ? 'tool_calls' : 'stop') };
}

// x_vendor is a field that no client library knows: a relay that rebuilds bodies would lose it.
const openaiHead = (object, body, serial) =>
  ({ id: `chatcmpl-${serial}`, object, created: 1_700_000_000, model: body.model, system_fingerprint: 'fp_fake', x_vendor: { kept: true } });

function openaiWhole(body, behaviour, serial) {
  const { text, call, finish_reason } = openaiParts(body, behaviour, serial);
  const message = { role: 'assistant', content: text || null };
  if (behaviour.thinking)
    message.reasoning_content = behaviour.thinking;
  if (call)
    message.tool_calls = [call];
  return {
    ...openaiHead('chat.completion', body, serial),
    choices: [{ index: 0, message, logprobs: body.logprobs ? logprobs(words(text)) : null, finish_reason }],
    usage: openaiUsage(body, text, behaviour),
  };
}

function openaiFrames(body, behaviour, serial) {
  const { text, call, finish_reason } = openaiParts(body, behaviour, serial);
  const head = openaiHead('chat.completion.chunk', body, serial);
  const frames = [];
  const frame = (fields, isDelta = false) => frames.push([`data: ${JSON.stringify({ ...head, ...fields })}\n\n`, isDelta]);
  const choice = (delta, isDelta, extra) => frame({ choices: [{ index: 0, delta, finish_reason: null, ...extra }] }, isDelta);
  choice({ role: 'assistant', content: '' });
  words(behaviour.thinking ?? '').forEach(reasoning_content => choice({ reasoning_content }, true));
  (behaviour.chunks ?? words(text)).forEach(content => choice({ content }, true, body.logprobs && { logprobs: logprobs([content]) }));
  if (call) {
    const json = call.function.arguments, half = json.length >> 1;
    choice({ tool_calls: [{ index: 0, ...call, function: { name: call.function.name, arguments: '' } }] }, true);
    [json.slice(0, half), json.slice(half)].forEach(piece => choice({ tool_calls: [{ index: 0, function: { arguments: piece } }] }, true));
  }
  choice({}, false, { finish_reason });
  if (body.stream_options?.include_usage)
    frame({ choices: [], usage: openaiUsage(body, text, behaviour) });
  frames.push(['data: [DONE]\n\n', false]);
  return frames;
}

const openaiErrors = { 401: 'invalid_api_key', 404: 'model_not_found', 429: 'rate_limit_exceeded' };

const openai = {
  error: (status, message = `scripted ${status}`, type) =>
    ({ error: {
      message, type: type ?? (status >= 500 ? 'server_error' : 'invalid_request_error'),
      param: null, code: openaiErrors[status] ?? null,
    } }),
  headers: serial => ({ 'x-request-id': `req_${serial}`, 'x-ratelimit-limit-requests': '1000', 'x-ratelimit-remaining-requests': '999' }),

  isSide: () => false,

  conversations: {
    'POST /v1/chat/completions'(res, body, behaviour, serial) {
      const headers = { ...openai.headers(serial), ...behaviour.headers };
      if (body.stream) {
        res.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
        return sendFrames(res, openaiFrames(body, behaviour, serial), behaviour);
      }
      res.writeHead(200, { 'content-type': 'application/json', ...headers });
      return sendWhole(res, openaiWhole(body, behaviour, serial), behaviour);
    },
    'POST /v1/embeddings'(res, body, behaviour, serial) {
      const data = [body.input].flat().map((text, index) => ({ object: 'embedding', index, embedding: [index, 0.25, -0.5] }));
      return sendJson(res, 200, { object: 'list', data, model: body.model, usage: { prompt_tokens: 1, total_tokens: 1, ...behaviour.usage } },
        { ...openai.headers(serial), ...behaviour.headers });
    },
    'GET /v1/models'(res, body, behaviour, serial) {
      const data = ['fake-large', 'fake-small'].map(id => ({ id, object: 'model', created: 1_700_000_000, owned_by: 'fake' }));
      return sendJson(res, 200, { object: 'list', data }, { ...openai.headers(serial), ...behaviour.headers });
    },
  },

  other: (req, res) => req.method === 'HEAD' ? res.writeHead(200).end() : sendJson(res, 404, openai.error(404)),
};

export const startOpenAI = (options = {}) => start(openai, options);

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [vendor = 'anthropic', port = '0'] = process.argv.slice(2);
  const open = { anthropic: startAnthropic, openai: startOpenAI }[vendor];
  if (!open) {
    console.error('usage: node vendors.mjs anthropic|openai [port]');
    process.exit(2);
  }
  // Nobody looks at the record here, and a benchmark would fill the memory with it.
  console.log((await open({ port: Number(port), record: false })).url);
}
