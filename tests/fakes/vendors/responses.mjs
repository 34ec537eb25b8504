// OpenAI's Responses API, as Codex asks it: a list of items goes in, and a list of items comes out.
import { asText, callsOf, halves, tokensOf, words } from './words.mjs';

export const said = body => [body.input].flat().map(item => typeof item === 'string' ? { role: 'user', content: item } : item)
  .filter(({ role }) => role === 'user').map(({ content }) => asText(content, '')).filter(text => text !== '');

export const system = body => [body.instructions ?? [], ...[body.input].flat()
  .filter(({ role }) => role === 'developer' || role === 'system').map(({ content }) => content)]
  .flat().map(part => part.text ?? part).join('\n');

export const calls = body => [body.input].flat().flatMap(({ type, call_id, name }) =>
  /_call_output$/.test(type) ? [{ answers: call_id }] : /^(function|custom_tool)_call$/.test(type) ? [{ id: call_id, name }] : []);

export function toolText(body) {
  const last = [body.input].flat().at(-1);
  return /_output$/.test(last?.type) ? asText(last.output) : undefined;
}

export function answerOf(body, text, behaviour, serial) {
  const output = [];
  if (behaviour.thinking)
    output.push({ type: 'reasoning', id: `rs_${serial}`, summary: [{ type: 'summary_text', text: behaviour.thinking }] });
  if (text)
    output.push({
      type: 'message', id: `msg_${serial}`, status: 'completed', role: 'assistant',
      content: [{ type: 'output_text', text, annotations: [] }],
    });
  const made = callsOf(behaviour);
  made.forEach(({ id, name, namespace, input = {} }, i) => {
    const suffix = made.length > 1 ? `${serial}_${i}` : serial;
    output.push({ type: 'function_call', id: `fc_${suffix}`, call_id: id ?? `call_${suffix}`, name, ...namespace && { namespace }, arguments: JSON.stringify(input), status: 'completed' });
  });
  const { prompt = 10, cached = 0, output: output_tokens = tokensOf(text, behaviour), reasoning = 0 } = behaviour.tokens ?? {};
  return {
    id: `resp_${serial}`, object: 'response', created_at: 1_700_000_000, status: 'completed', model: body.model, output,
    usage: behaviour.tokens === null ? null : {
      input_tokens: prompt, input_tokens_details: { cached_tokens: cached }, output_tokens,
      output_tokens_details: { reasoning_tokens: reasoning }, total_tokens: prompt + output_tokens, ...behaviour.usage,
    },
  };
}

export function framesOf(response, chunks) {
  const frames = [];
  const say = (type, fields, isDelta = false) =>
    frames.push([`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: frames.length, ...fields })}\n\n`, isDelta]);
  const begun = { ...response, status: 'in_progress', output: [], usage: null };
  say('response.created', { response: begun });
  say('response.in_progress', { response: begun });
  response.output.forEach((item, output_index) => {
    const of = { item_id: item.id, output_index };
    if (item.type === 'reasoning') {
      say('response.output_item.added', { output_index, item: { ...item, summary: [] } });
      say('response.reasoning_summary_part.added', { ...of, summary_index: 0, part: { type: 'summary_text', text: '' } });
      words(item.summary[0].text).forEach(delta => say('response.reasoning_summary_text.delta', { ...of, summary_index: 0, delta }, true));
      say('response.reasoning_summary_text.done', { ...of, summary_index: 0, text: item.summary[0].text });
      say('response.reasoning_summary_part.done', { ...of, summary_index: 0, part: item.summary[0] });
    } else if (item.type === 'message') {
      const [part] = item.content;
      say('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } });
      say('response.content_part.added', { ...of, content_index: 0, part: { ...part, text: '' } });
      (chunks ?? words(part.text)).forEach(delta => say('response.output_text.delta', { ...of, content_index: 0, delta }, true));
      say('response.output_text.done', { ...of, content_index: 0, text: part.text });
      say('response.content_part.done', { ...of, content_index: 0, part });
    } else {
      say('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } });
      halves(item.arguments).forEach(delta => say('response.function_call_arguments.delta', { ...of, delta }, true));
      say('response.function_call_arguments.done', { ...of, arguments: item.arguments });
    }
    say('response.output_item.done', { output_index, item });
  });
  say('response.completed', { response });
  return frames;
}
