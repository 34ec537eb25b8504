// Words for clients that have tools of their own.
//
//   const { asks, goesOn } = callerOf(harness, cloud, bridge);
//   const message = await asks(['Rome']);                     the model calls a tool of theirs
//   await goesOn([QUESTION, message, ...resultsOf(message)]);
import assert from 'node:assert/strict';

import { waitFor } from '../bridge.mjs';
import { WHOLE } from './harness.mjs';

// The ways to a client's tools: claude's, codex's and pi's own, and a server of the worker's.  What is common to those who
// ask that server is shown by one of them.
export const showsWay = name => WHOLE || ['claude', 'codex', 'copilot', 'pi'].includes(name);

export const toolOf = name => ({
  type: 'function',
  function: { name, description: `It tells the ${name}.`, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
});
export const TOOLS = ['weather', 'time', 'news'].map(toolOf);

export const user = content => ({ role: 'user', content });
export const QUESTION = user('the-question-of-all');

export const messageOf = ({ json, text }) => json?.choices?.[0]?.message ?? assert.fail(text);

export const resultsOf = (message, say = city => `result-of-${city}`) => message.tool_calls.map(call =>
  ({ role: 'tool', tool_call_id: call.id, content: say(JSON.parse(call.function.arguments).city) }));

// What a vendor answers with: a call of a tool for each city.
export const callsOf = (cli, ...cities) =>
  ({ text: 'I look.', toolUses: cities.map((city, i) => ({ ...cli.call(TOOLS[i].function.name), input: { city } })) });

export const isParked = ({ name }, bridge, n) => waitFor(`${n} are parked`, async () => (await bridge.row(name)).parked === n);

export function callerOf({ name, cli }, cloud, bridge) {
  const send = (messages, fields = {}, headers) => bridge.chat(name, messages, { tools: TOOLS, ...fields }, headers);
  async function asks(cities, fields) {
    cloud.reset().next(callsOf(cli, ...cities));
    const answer = await send([QUESTION], fields);
    assert.equal(answer.json?.choices?.[0].finish_reason, 'tool_calls', answer.text);
    return messageOf(answer);
  }
  async function goesOn(messages, fields, how = 'continued') {
    const answer = await send(messages, fields);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['x-bridge-session'], how, answer.text);
    assert.equal(answer.json.choices[0].finish_reason, 'stop', answer.text);
    return answer;
  }
  async function refused(status, why, messages, fields) {
    const answer = await send(messages, fields);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.json.error.message, why);
  }
  return { send, asks, goesOn, refused };
}
