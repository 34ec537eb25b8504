// Anthropic's Messages API.
import { answerText, asText, callsOf, halves, sendEvents, sendJson, sendWhole, tokensOf, words, wrongCall } from './words.mjs';

const errors = {
  400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error',
  413: 'request_too_large', 429: 'rate_limit_error', 500: 'api_error', 529: 'overloaded_error',
};

// The vendor itself always counts; a proxy in its place that does not says zeros.
function usageOf(text, behaviour) {
  const { tokens } = behaviour;
  const { prompt = 10, cached = 0, output = tokensOf(text, behaviour) } = tokens === null ? { prompt: 0, output: 0 } : tokens ?? {};
  return {
    input_tokens: prompt - cached, cache_creation_input_tokens: 0, cache_read_input_tokens: cached, output_tokens: output,
    ...tokens?.reasoning !== undefined && { output_tokens_details: { thinking_tokens: tokens.reasoning } },
  };
}

function answerOf(body, behaviour, serial) {
  const text = answerText(anthropic, body, behaviour);
  const blocks = [];
  if (behaviour.thinking)
    blocks.push({ type: 'thinking', thinking: behaviour.thinking, signature: 'c2lnbmVk' });
  if (text)
    blocks.push({ type: 'text', text });
  const calls = callsOf(behaviour);
  calls.forEach(({ id = `toolu_${serial}${calls.length > 1 ? `_${blocks.length}` : ''}`, name, input = {} }) =>
    blocks.push({ type: 'tool_use', id, name, input }));
  return {
    id: `msg_${serial}`, type: 'message', role: 'assistant', model: body.model, content: blocks,
    stop_reason: behaviour.stopReason ?? (calls.length ? 'tool_use' : 'end_turn'), stop_sequence: null,
    usage: { ...usageOf(text, behaviour), ...behaviour.usage },
  };
}

function framesOf(message, chunks) {
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
      halves(JSON.stringify(block.input)).forEach(partial_json => delta({ type: 'input_json_delta', partial_json }));
    }
    say('content_block_stop', { index });
  });
  say('message_delta', { delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: message.usage });
  say('message_stop');
  return frames;
}

export const anthropic = {
  error: (status, message = `${status === 429 ? 'Rate limit reached: ' : ''}scripted ${status}`, type) =>
    ({ type: 'error', error: { type: type ?? errors[status] ?? 'api_error', message }, request_id: 'req_scripted' }),
  headers: serial => ({ 'request-id': `req_${serial}` }),

  said: body => body.messages.filter(({ role }) => role === 'user').map(({ content }) => asText(content)).filter(text => text !== ''),
  system: body => [body.system ?? [], ...body.messages.filter(({ role }) => role === 'system').map(({ content }) => content)]
    .flat().map(part => part.text ?? part).join('\n'),
  toolText(body) {
    const results = [body.messages.at(-1)?.content ?? []].flat().filter(part => part.type === 'tool_result');
    return results.length ? asText(results.at(-1).content) : undefined;
  },

  refuses: body => wrongCall(body.messages.flatMap(({ content }) => content)
    .flatMap(({ type, id, name, tool_use_id }) => type === 'tool_use' ? [{ id, name }] : type === 'tool_result' ? [{ answers: tool_use_id }] : []),
  { ids: /^[a-zA-Z0-9_-]+$/, names: /^[a-zA-Z0-9_-]{1,128}$/ }),

  // Claude Code asks an unknown model for one token before it switches to it.
  isSide: ({ body }) => body?.max_tokens === 1,

  conversations: {
    'POST /v1/messages'(res, { body }, behaviour, serial) {
      const message = answerOf(body, behaviour, serial);
      if (body.stream)
        return sendEvents(res, framesOf(message, behaviour.chunks), behaviour, anthropic.headers(serial));
      return sendWhole(res, message, behaviour, anthropic.headers(serial));
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
