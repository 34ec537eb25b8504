// The loops that run tools in the libraries that people have, unmodified: they know a base URL and a key.
//
// Each asks for the same: a call, then two calls at once, then an answer.  The stand-in of the vendor proves that the
// bridge went on where the CLI was: it was asked three times, the question is in the last request once, and so are
// the calls by the ids that the vendor gave them, which no client ever hears.
import assert from 'node:assert/strict';

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI, ChatOpenAICompletions } from '@langchain/openai';
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool as agentsTool } from '@openai/agents';
import { generateText, jsonSchema, stepCountIs, streamText, tool as aiTool } from 'ai';
import { createAgent, tool as chainTool } from 'langchain';
import OpenAI from 'openai';
import { z } from 'zod';

import { PATIENCE, test } from './bridge.mjs';
import { clis } from './clis.mjs';
import { countIn, harnessOf } from './suite/harness.mjs';

const QUESTION = 'the-question-of-all';
const ANSWER = 'It rains everywhere.';
const DESCRIPTION = 'It tells the weather of a city.';
const KEY = 'a-key-of-a-user';

// `tells` is what the program of the user's does for the model.
const clients = {
  'runTools of the openai client': ({ client, model, tells }) =>
    client.chat.completions.runTools({ model, messages: [{ role: 'user', content: QUESTION }], tools: [functionOf(tells)] }).finalContent(),

  'runTools of the openai client, streamed': ({ client, model, tells }) =>
    client.chat.completions.runTools({ model, messages: [{ role: 'user', content: QUESTION }], tools: [functionOf(tells)], stream: true }).finalContent(),

  'generateText of the AI SDK': async ({ provider, model, tells }) =>
    (await generateText({ model: provider(model), prompt: QUESTION, tools: { weather: aiToolOf(tells) }, stopWhen: stepCountIs(9) })).text,

  'streamText of the AI SDK': async ({ provider, model, tells }) => {
    const result = streamText({ model: provider(model), prompt: QUESTION, tools: { weather: aiToolOf(tells) }, stopWhen: stepCountIs(9) });
    await result.consumeStream();
    return result.text;
  },

  'the runner of @openai/agents': async how => (await runAgent(how)).finalOutput,

  'the runner of @openai/agents, streamed': async how => {
    const result = await runAgent(how, { stream: true });
    await result.completed;
    return result.finalOutput;
  },

  'the agent of langchain': async ({ url, model, tells }) => {
    // It takes every model that has codex in its name for one of the vendor's, which has another API.
    const Chat = model.includes('codex') ? ChatOpenAICompletions : ChatOpenAI;
    const llm = new Chat({ model, apiKey: KEY, configuration: { baseURL: url } });
    const weather = chainTool(tells, { name: 'weather', description: DESCRIPTION, schema: z.object({ city: z.string() }) });
    const { messages } = await createAgent({ model: llm, tools: [weather] }).invoke({ messages: [{ role: 'user', content: QUESTION }] });
    return messages.at(-1).content;
  },
};

const functionOf = tells => ({
  type: 'function',
  function: {
    name: 'weather', description: DESCRIPTION, parse: JSON.parse, function: tells,
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
});

const aiToolOf = execute => aiTool({
  description: DESCRIPTION, execute, inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }),
});

function runAgent({ url, model, tells }, options) {
  setTracingDisabled(true); // it would go to the vendor of the library
  const weather = agentsTool({ name: 'weather', description: DESCRIPTION, parameters: z.object({ city: z.string() }), execute: tells });
  const agent = new Agent({ name: 'a', instructions: 'Be brief.', model, tools: [weather] });
  const runner = new Runner({ modelProvider: new OpenAIProvider({ apiKey: KEY, baseURL: url, useResponses: false }) });
  return runner.run(agent, QUESTION, options);
}

// All of them with those that the bridge speaks to in ways of their own; with the others, to which it is an MCP server,
// one way of each library.
const all = Object.keys(clients), some = all.filter(client => !client.endsWith(', streamed'));
const harnesses = { claude: all, codex: all, opencode: some, kimi: some, copilot: some };

for (const [name, its] of Object.entries(harnesses)) {
  const cli = clis[name];
  const { start, pids } = harnessOf({ name, cli });

  test(`${name}: the loops of clients that run tools work, and nothing is told anew`, async t => {
    const { cloud, bridge } = await start(t, { BRIDGE_BEARER: KEY });
    const url = `${bridge.url}/v1`;
    const how = {
      url, model: name, client: new OpenAI({ baseURL: url, apiKey: KEY, timeout: PATIENCE, maxRetries: 0 }),
      provider: createOpenAICompatible({ name: 'bridge', baseURL: url, apiKey: KEY }),
    };
    const callsOf = (...cities) => ({ text: 'I look.', toolUses: cities.map(city => ({ ...cli.call('weather'), input: { city }, id: `vendors_${city}` })) });

    for (const client of its)
      await t.test(client, async () => {
        const told = [], processes = [];
        const says = behaviour => () => {
          processes.push(pids(bridge));
          return behaviour;
        };
        cloud.reset().next(says(callsOf('Rome')), says(callsOf('Oslo', 'Bonn')), says({ text: ANSWER }));
        const answer = await clients[client]({ ...how, tells: ({ city }) => { told.push(city); return `it rains in ${city}`; } });
        assert.equal(answer, ANSWER);
        assert.deepEqual(told.sort(), ['Bonn', 'Oslo', 'Rome']);
        assert.equal(cloud.requests.length, 3, 'each step is one request of the vendor');
        for (const words of [QUESTION, 'it rains in Rome', 'it rains in Oslo', 'it rains in Bonn'])
          assert.equal(countIn(cloud.requests.at(-1), words), 1, words);
        for (const city of ['Rome', 'Oslo', 'Bonn'])
          assert.ok(countIn(cloud.requests.at(-1), `vendors_${city}`) >= 2, `the call of ${city} and its result, as the vendor named them`);
        assert.ok(processes[0].some(pid => processes.every(at => at.includes(pid))), JSON.stringify(processes));
      });
  });
}
