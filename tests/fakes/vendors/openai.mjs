// OpenAI's Chat Completions, and beside it the Responses API, which is a dialect of its own.
import * as responses from './responses.mjs';
import { answerText, asText, callsOf, halves, sendEvents, sendJson, sendWhole, tokensOf, words, wrongCall } from './words.mjs';

const MODELS = ['fake-large', 'fake-small'];

function usageOf(body, text, behaviour) {
  const { prompt = 10, cached, output = tokensOf(text, behaviour), reasoning } = behaviour.tokens ?? {};
  return {
    prompt_tokens: prompt, completion_tokens: output, total_tokens: prompt + output,
    ...cached !== undefined && { prompt_tokens_details: { cached_tokens: cached } },
    ...reasoning !== undefined && { completion_tokens_details: { reasoning_tokens: reasoning } },
    ...behaviour.usage,
  };
}

const logprobs = pieces => ({
  content: pieces.map(token => ({ token, logprob: -0.25, bytes: [...Buffer.from(token)], top_logprobs: [] })), refusal: null,
});

function partsOf(body, behaviour, serial) {
  const text = answerText(openai, body, behaviour);
  // Claude Code takes "call_1_1" for a copy of "call_1", and loses its result.
  const calls = callsOf(behaviour).map(({ id, name, input = {} }, i, { length }) => ({
    id: id ?? `call_${serial}${length > 1 ? `_${i}` : ''}`, type: 'function', function: { name, arguments: JSON.stringify(input) },
  }));
  return { text, calls, finish_reason: behaviour.stopReason ?? (calls.length ? 'tool_calls' : 'stop') };
}

// x_vendor is a field that no client library knows: a relay that rebuilds bodies would lose it.
const headOf = (object, body, serial) =>
  ({ id: `chatcmpl-${serial}`, object, created: 1_700_000_000, model: body.model, system_fingerprint: 'fp_fake', x_vendor: { kept: true } });

function wholeOf(body, behaviour, serial) {
  const { text, calls, finish_reason } = partsOf(body, behaviour, serial);
  const message = { role: 'assistant', content: text || null };
  if (behaviour.thinking)
    message.reasoning_content = behaviour.thinking;
  if (calls.length)
    message.tool_calls = calls;
  return {
    ...headOf('chat.completion', body, serial),
    choices: [{ index: 0, message, logprobs: body.logprobs ? logprobs(words(text)) : null, finish_reason }],
    ...behaviour.tokens !== null && { usage: usageOf(body, text, behaviour) },
  };
}

function framesOf(body, behaviour, serial) {
  const { text, calls, finish_reason } = partsOf(body, behaviour, serial);
  const head = headOf('chat.completion.chunk', body, serial);
  const frames = [];
  const frame = (fields, isDelta = false) => frames.push([`data: ${JSON.stringify({ ...head, ...fields })}\n\n`, isDelta]);
  const choice = (delta, isDelta, extra) => frame({ choices: [{ index: 0, delta, finish_reason: null, ...extra }] }, isDelta);
  choice({ role: 'assistant', content: '' });
  words(behaviour.thinking ?? '').forEach(reasoning_content => choice({ reasoning_content }, true));
  (behaviour.chunks ?? words(text)).forEach(content => choice({ content }, true, body.logprobs && { logprobs: logprobs([content]) }));
  calls.forEach((call, index) => {
    choice({ tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: '' } }] }, true);
    halves(call.function.arguments).forEach(piece => choice({ tool_calls: [{ index, function: { arguments: piece } }] }, true));
  });
  choice({}, false, { finish_reason });
  if (body.stream_options?.include_usage && behaviour.tokens !== null)
    frame({ choices: [], usage: usageOf(body, text, behaviour) });
  frames.push(['data: [DONE]\n\n', false]);
  return frames;
}

const errorCodes = { 401: 'invalid_api_key', 404: 'model_not_found', 429: 'rate_limit_exceeded' };
const isResponses = body => body.input !== undefined && body.messages === undefined;

export const openai = {
  error: (status, message = `${status === 429 ? 'Rate limit reached: ' : ''}scripted ${status}`, type) =>
    ({ error: {
      message, type: type ?? (status >= 500 ? 'server_error' : 'invalid_request_error'),
      param: null, code: errorCodes[status] ?? null,
    } }),
  headers: serial => ({ 'x-request-id': `req_${serial}`, 'x-ratelimit-limit-requests': '1000', 'x-ratelimit-remaining-requests': '999' }),

  said: body => isResponses(body) ? responses.said(body)
    : body.messages.filter(({ role }) => role === 'user').map(({ content }) => asText(content)).filter(text => text !== ''),
  system: body => isResponses(body) ? responses.system(body)
    : body.messages.filter(({ role }) => role === 'system' || role === 'developer')
      .flatMap(({ content }) => content).map(part => part.text ?? part).join('\n'),
  toolText(body) {
    if (isResponses(body))
      return responses.toolText(body);
    const last = body.messages.at(-1);
    return last?.role === 'tool' ? asText(last.content) : undefined;
  },

  refuses(body) {
    const steps = isResponses(body) ? responses.calls(body) : (body.messages ?? []).flatMap(({ role, tool_calls, tool_call_id }) =>
      role === 'tool' ? [{ answers: tool_call_id }] : (tool_calls ?? []).map(call => ({ id: call.id, name: call.function?.name ?? call.custom?.name })));
    return wrongCall(steps, { ids: /^.{1,64}$/s, names: /^[a-zA-Z0-9_-]{1,128}$/ });
  },

  isSide: () => false,

  conversations: {
    'POST /v1/chat/completions'(res, { body }, behaviour, serial) {
      if (body.stream)
        return sendEvents(res, framesOf(body, behaviour, serial), behaviour, openai.headers(serial));
      return sendWhole(res, wholeOf(body, behaviour, serial), behaviour, openai.headers(serial));
    },
    'POST /v1/responses'(res, { body }, behaviour, serial) {
      const answer = responses.answerOf(body, answerText(openai, body, behaviour), behaviour, serial);
      if (body.stream)
        return sendEvents(res, responses.framesOf(answer, behaviour.chunks), behaviour, openai.headers(serial));
      return sendWhole(res, answer, behaviour, openai.headers(serial));
    },
    'POST /v1/embeddings'(res, { body }, behaviour, serial) {
      const data = [body.input].flat().map((text, index) => ({ object: 'embedding', index, embedding: [index, 0.25, -0.5] }));
      return sendJson(res, 200, { object: 'list', data, model: body.model, usage: { prompt_tokens: 1, total_tokens: 1, ...behaviour.usage } },
        { ...openai.headers(serial), ...behaviour.headers });
    },
    'GET /v1/models'(res, asked, behaviour, serial) {
      const data = MODELS.map(id => ({ id, object: 'model', created: 1_700_000_000, owned_by: 'fake' }));
      return sendJson(res, 200, { object: 'list', data }, { ...openai.headers(serial), ...behaviour.headers });
    },
  },

  other: (req, res) => req.method === 'HEAD' ? res.writeHead(200).end() : sendJson(res, 404, openai.error(404)),
};
