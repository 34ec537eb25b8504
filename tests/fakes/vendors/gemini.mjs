// Google's Gemini API.  The model is in the path, and what fails says in its details when to come again.
import { answerText, asText, callsOf, sendEvents, sendJson, sendWhole, tokensOf, words, wrongCall } from './words.mjs';

const MODELS = ['gemini-2.5-pro', 'gemini-2.5-flash'];

const errors = {
  400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE',
};

const isCall = part => part.functionResponse !== undefined || part.functionCall !== undefined;

function usageOf(text, behaviour) {
  if (behaviour.tokens === null)
    return undefined;
  const { prompt = 10, cached, output = tokensOf(text, behaviour), reasoning = 0 } = behaviour.tokens ?? {};
  return {
    promptTokenCount: prompt, candidatesTokenCount: output - reasoning, totalTokenCount: prompt + output,
    ...cached !== undefined && { cachedContentTokenCount: cached },
    ...reasoning && { thoughtsTokenCount: reasoning },
    ...behaviour.usage,
  };
}

// One answer is many of these; the last one has all that is asked of an end.
function pieceOf(model, serial, parts, end) {
  return { candidates: [{ content: { role: 'model', parts }, index: 0, ...end }], modelVersion: model, responseId: `gem-${serial}` };
}

function partsOf(asked, behaviour) {
  const text = answerText(gemini, asked.body, behaviour);
  const thoughts = behaviour.thinking ? [{ text: behaviour.thinking, thought: true }] : []; // they come whole
  const spoken = (behaviour.chunks ?? words(text)).map(chunk => ({ text: chunk }));
  const calls = callsOf(behaviour).map(({ id, name, input = {} }) => ({ functionCall: { id, name, args: input } }));
  return { text, parts: [...thoughts, ...spoken, ...calls] };
}

// As protobuf's JSON has them: over a bare U+2028 the vendor's own library stumbles.
const escaped = piece => JSON.stringify(piece).replace(/[<>\u2028\u2029]/g, c => `\\u${c.codePointAt(0).toString(16).padStart(4, '0')}`);

function framesOf(asked, behaviour, serial) {
  const { text, parts } = partsOf(asked, behaviour);
  const pieces = parts.map(part => [pieceOf(asked.model, serial, [part]), true]);
  const end = { finishReason: behaviour.stopReason ?? 'STOP' };
  pieces.push([{ ...pieceOf(asked.model, serial, [{ text: '' }], end), usageMetadata: usageOf(text, behaviour) }, false]);
  return pieces.map(([piece, isDelta]) => [`data: ${escaped(piece)}\r\n\r\n`, isDelta]);
}

export const gemini = {
  unknownModel: model => `models/${model} is not found for API version v1beta, or is not supported for generateContent.`,

  error: (status, message = `scripted ${status}`, type, headers = {}) => ({
    error: {
      code: status, message, status: type ?? errors[status] ?? 'UNKNOWN',
      ...(headers['retry-after'] && { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${headers['retry-after']}s` }] }),
    },
  }),
  headers: () => ({}),

  model: ({ path }) => path.match(/\/models\/([^:]+):/)?.[1],
  route: path => path.replace(/\/models\/[^:]+:/, '/models/*:'),
  said: body => body.contents.filter(({ role, parts }) => role !== 'model' && !parts.some(isCall))
    .map(({ parts }) => asText(parts)).filter(text => text !== ''),
  system: body => [body.systemInstruction?.parts ?? body.systemInstruction ?? []].flat().map(part => part.text ?? part).join('\n'),
  toolText(body) {
    const answer = body.contents.at(-1)?.parts.findLast(part => part.functionResponse)?.functionResponse.response;
    return answer && String(answer.output ?? answer.error ?? JSON.stringify(answer));
  },

  refuses: body => wrongCall((body.contents ?? []).flatMap(({ parts }) => parts).flatMap(({ functionCall, functionResponse }) =>
    functionCall ? [{ id: functionCall.name, name: functionCall.name }] : functionResponse ? [{ answers: functionResponse.name }] : []),
  { ids: /./, names: /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/, wantsAll: false }),

  // Where its model is "auto", Gemini CLI asks one which model to ask.
  isSide: ({ body }) => body?.generationConfig?.responseMimeType === 'application/json',
  sideText: JSON.stringify({ reasoning: 'easy', model_choice: 'flash', complexity_reasoning: 'easy', complexity_score: 1 }),

  conversations: {
    'POST /v1beta/models/*:streamGenerateContent': (res, asked, behaviour, serial) =>
      sendEvents(res, framesOf(asked, behaviour, serial), behaviour),
    'POST /v1beta/models/*:generateContent'(res, asked, behaviour, serial) {
      const { text, parts } = partsOf(asked, { ...behaviour, chunks: undefined });
      const whole = parts.filter(part => part.text === undefined || part.thought);
      if (text)
        whole.push({ text });
      return sendWhole(res, { ...pieceOf(asked.model, serial, whole, { finishReason: 'STOP' }), usageMetadata: usageOf(text, behaviour) }, behaviour);
    },
  },

  other(req, res, path, body) {
    if (path.endsWith(':countTokens'))
      return sendJson(res, 200, { totalTokens: Math.ceil(JSON.stringify(body ?? '').length / 4) });
    if (path === '/v1beta/models')
      return sendJson(res, 200, { models: MODELS.map(name => ({ name: `models/${name}`, supportedGenerationMethods: ['generateContent'] })) });
    return sendJson(res, 404, gemini.error(404));
  },
};
