// What all dialects say the same way: the default answer, and bytes that come slowly, stop or are cut.
import { setTimeout as sleep } from 'node:timers/promises';

// A longer text is quoted by its size: echoing a 10 MB prompt would test the way back, not the way in.
const LONGEST_QUOTE = 200;

const quote = text => text.length > LONGEST_QUOTE ? `(${text.length} characters)` : text;
export const words = text => text.match(/\s*\S+\s*$|\s*\S+/g) ?? (text ? [text] : []);
export const halves = text => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];

// A call of a tool is said in tokens, too.
export const tokensOf = (text, { toolUse }) => words(text).length + (toolUse ? 1 : 0);

// What CLIs put among the user's words on their own account is no part of what was said.
const OWN_TAGS = 'system-reminder|environment_context|session_context|current_datetime|turn_aborted';
const OWN_WORDS = new RegExp(`<(${OWN_TAGS})>.*?</\\1>\\s*|^# AGENTS\\.md instructions\\s.*?</INSTRUCTIONS>\\s*`, 'gs');

const cleaned = text => text.replace(OWN_WORDS, '');

// Content is a string, or parts of which those with a text count.
export const asText = (content, glue = '\n') => typeof content === 'string' ? cleaned(content)
  : (content ?? []).map(part => cleaned(part.text ?? '')).filter(text => text !== '').join(glue);

// `said` is what the user said, turn by turn; `toolText` what a tool answered last, if that was the last thing.
function defaultText(said, toolText) {
  const before = said.map(quote);
  const last = before.pop() ?? '';
  const tool = toolText === undefined ? '' : `; the tool said "${quote(toolText)}"`;
  return `turn ${said.length}: you said "${last}"; before: ${JSON.stringify(before)}${tool}`;
}

// The calls that an answer ends with.
export const callsOf = ({ toolUse, toolUses }) => toolUses ?? (toolUse ? [toolUse] : []);

export function answerText(dialect, body, behaviour) {
  const text = behaviour.chunks?.join('') ?? behaviour.text;
  return text ?? (callsOf(behaviour).length ? '' : defaultText(dialect.said(body), dialect.toolText(body)));
}

// What a dialect says is a list of [frame, isDelta].  Without delays it leaves in one write, which is
// what a benchmark wants of its upstream; with delays each delta is a packet of its own.
export async function sendFrames(res, frames, { delayMs, hangAfter, cutAfter }) {
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

export function sendEvents(res, frames, behaviour, headers) {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...headers, ...behaviour.headers });
  return sendFrames(res, frames, behaviour);
}

export function sendWhole(res, body, { hangAfter, cutAfter, headers: given }, headers) {
  const text = JSON.stringify(body);
  res.writeHead(200, { 'content-type': 'application/json', ...headers, ...given });
  if (hangAfter === undefined && cutAfter === undefined)
    return res.end(text);
  res.write(text.slice(0, text.length / 2), () => { if (cutAfter !== undefined) setTimeout(() => res.cut(), 20); });
}

export function sendJson(res, status, body, headers) {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

// What is wrong with the calls of tools in a history, which is a list of { id, name } and { answers: id }: every
// vendor wants names and ids of its own alphabet, and no answer to anything else; most want an answer to each call.
export function wrongCall(steps, { ids, names, wantsAll = true }) {
  const open = [];
  for (const { id, name, answers } of steps) {
    if (answers !== undefined) {
      if (!open.includes(answers))
        return `The result of ${answers} has no call before it.`;
      open.splice(open.indexOf(answers), 1);
      continue;
    }
    if (!ids.test(id))
      return `The id of a call, ${id}, should match ${ids}.`;
    if (!names.test(name))
      return `The name of a tool, ${name}, should match ${names}.`;
    open.push(id);
  }
  return wantsAll && open.length ? `The calls ${open} have no results.` : undefined;
}
