// Tools of the caller's with agents that speak the Agent Client Protocol, as far as these differ: what they are asked
// for, what they make of names, of calls that are the same, of long results, and of other tools in the same session.
// What holds for every harness is in suite/tools.mjs.
import assert from 'node:assert/strict';

import { test } from './bridge.mjs';
import { clis } from './clis.mjs';
import { countIn, harnessOf, isSameProcess } from './suite/harness.mjs';

// The strictest mode in which the agent calls tools at all, and the longest result of which it tells its model all.
const AGENTS = {
  copilot: { strict: 'ask', longest: 300_000 },
  gemini: { strict: 'default', longest: 300_000 },
  kimi: { strict: 'default', longest: 45_000 },
  qwen: { strict: 'default', longest: 300_000 },
};

const QUESTION = { role: 'user', content: 'the-question-of-all' };

const toolOf = (name, parameters = { type: 'object', properties: { city: { type: 'string' } } }) =>
  ({ type: 'function', function: { name, description: `It tells the ${name}.`, parameters } });
const WEATHER = toolOf('weather'), NEWS = toolOf('news');

// Of a caller's tool, by the name that the model is offered: the agent, or the bridge, may have changed it.
const namesIn = ({ body }) => body.tools.flatMap(tool => tool.functionDeclarations ?? [tool.function ?? tool]).map(({ name }) => name);
const offered = (asked, words) => namesIn(asked).find(name => name.includes(words)) ?? assert.fail(`no ${words} among ${namesIn(asked)}`);

const resultOf = (call, content) => ({ role: 'tool', tool_call_id: call.id, content });

function agentChecks({ name, NAME, cli, start, pids, killsIts }, { strict, longest }) {
  const using = (...calls) => ({ text: 'I look.', toolUses: calls.map(([tool, input]) => ({ ...cli.call(tool), input })) });
  const ask = (bridge, messages, tools, fields) => bridge.chat(name, messages, { tools, ...fields });
  async function calls(bridge, tools, messages = [QUESTION], fields) {
    const answer = await ask(bridge, messages, tools, fields);
    assert.equal(answer.json?.choices?.[0].finish_reason, 'tool_calls', answer.text);
    return answer.json.choices[0].message;
  }
  async function goesOn(bridge, messages, tools, fields, how = 'continued') {
    const answer = await ask(bridge, messages, tools, fields);
    assert.equal(answer.json?.choices?.[0].finish_reason, 'stop', answer.text);
    assert.equal(answer.headers['x-bridge-session'], how, answer.headers['x-bridge-session-reason']);
    return answer;
  }

  test(`${name}: tools of the caller's are as the caller has named them, and nobody is asked for them`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_PERMISSION_MODE`]: strict });

    await t.test('names that the agent cannot carry are mapped, there and back', async () => {
      const names = ['a.b/c:d', 'a_b_c_d', 'two__parts', 'two_parts', `long_${'x'.repeat(110)}`, `long_${'x'.repeat(110)}y`];
      const tools = names.map(each => toolOf(each));
      for (const [i, words] of ['a_b_c_d', 'long_x'].entries()) {
        cloud.reset().next(asked => ({ toolUse: { name: offered(asked, words), input: { city: 'Rome' } } }), { text: 'As you see.' });
        const message = await calls(bridge, tools);
        const all = namesIn(cloud.requests[0]).filter(each => /client[-_]/.test(each));
        assert.equal(new Set(all).size, names.length, `all are offered: ${all}`);
        assert.ok(names.includes(message.tool_calls[0].function.name), `${i}: ${message.tool_calls[0].function.name}`);
        await goesOn(bridge, [QUESTION, message, resultOf(message.tool_calls[0], 'sunny')], tools);
        assert.equal(countIn(cloud.requests.at(-1), 'sunny'), 1);
      }
    });

    await t.test('two calls that are the same are both answered', async () => {
      cloud.reset().next(using(['weather', { city: 'Rome' }], ['weather', { city: 'Rome' }]), using(['weather', { city: 'Rome' }]), { text: 'As you see.' });
      const messages = [QUESTION], heard = [];
      for (let n = 0; heard.length < 3; n++) {
        const message = await calls(bridge, [WEATHER], messages);
        messages.push(message, ...message.tool_calls.map(call => resultOf(call, `answer-${heard.push(call)}`)));
      }
      assert.equal((await goesOn(bridge, messages, [WEATHER])).content, 'As you see.');
      assert.equal(cloud.requests.length, 3);
      assert.equal(countIn(cloud.requests.at(-1), 'answer-1'), name === 'kimi' ? 2 : 1, 'kimi takes them for one');
      assert.equal(countIn(cloud.requests.at(-1), 'answer-3'), 1, 'a call of another message is another call');
    });

    await t.test('a call with arguments that are none is the model\'s to mend', async () => {
      const tool = toolOf('weather', { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] });
      cloud.reset().next(using(['weather', {}]), using(['weather', { city: 'Rome' }]), { text: 'As you see.' });
      const messages = [QUESTION];
      let answer = await ask(bridge, messages, [tool]);
      while (answer.json.choices[0].finish_reason === 'tool_calls') {
        const { message } = answer.json.choices[0];
        messages.push(message, ...message.tool_calls.map(call => resultOf(call, `sunny in ${JSON.parse(call.function.arguments).city}`)));
        answer = await ask(bridge, messages, [tool]);
      }
      assert.equal(answer.content, 'As you see.');
      assert.equal(countIn(cloud.requests.at(-1), 'sunny in Rome'), 1);
    });

    await t.test('a long result is told as a whole', async () => {
      cloud.reset().next(using(['weather', { city: 'Rome' }]), { text: 'As you see.' });
      const message = await calls(bridge, [WEATHER]);
      const lines = Array.from({ length: longest / 50 }, (_, n) => `${n}:`.padEnd(49, 'x')).join('\n');
      await goesOn(bridge, [QUESTION, message, resultOf(message.tool_calls[0], lines)], [WEATHER]);
      assert.equal(countIn(cloud.requests.at(-1), JSON.stringify(lines).slice(1, -1)), 1);
    });

    await t.test('a session with calls behind it goes on with other tools, with none, and in another process', async () => {
      const session = { session_id: 'other tools', cwd }, messages = [QUESTION];
      const heardOnce = (...words) => words.forEach(word => assert.equal(countIn(cloud.requests.at(-1), word), 1, word));
      async function rounds(tools, tool, result) {
        cloud.next(using([tool, { city: 'Rome' }]), { text: 'As you see.' });
        const message = await calls(bridge, tools, messages, session);
        assert.deepEqual(message.tool_calls.map(call => call.function.name), [tool]);
        messages.push(message, resultOf(message.tool_calls[0], result));
        const before = pids(bridge);
        messages.push((await goesOn(bridge, messages, tools, session)).json.choices[0].message, { role: 'user', content: `and-after-${tool}` });
        await isSameProcess(() => pids(bridge), before);
      }
      cloud.reset();
      await rounds([WEATHER], 'weather', 'sunny');
      await rounds([NEWS], 'news', 'nothing-new');
      assert.ok(!JSON.stringify(cloud.requests.at(-1).body.tools).includes('It tells the weather'), 'the others are gone');
      heardOnce(QUESTION.content, 'sunny', 'nothing-new', 'and-after-weather');
      await killsIts(bridge);
      await rounds([NEWS], 'news', 'still-nothing');
      heardOnce(QUESTION.content, 'sunny', 'nothing-new', 'still-nothing', 'and-after-weather');
      cloud.next({ text: 'So it is.' });
      assert.equal((await bridge.answers(name, messages, session)).content, 'So it is.');
      heardOnce(QUESTION.content, 'sunny', 'nothing-new', 'still-nothing');
      assert.ok(!JSON.stringify(cloud.requests.at(-1).body.tools ?? []).includes('It tells the news'));
    });

    await t.test('other tools beside the results are the model\'s when it goes on', async () => {
      cloud.reset().next(using(['weather', { city: 'Rome' }]), { text: 'As you see.' });
      const message = await calls(bridge, [WEATHER]);
      const answer = await ask(bridge, [QUESTION, message, resultOf(message.tool_calls[0], 'sunny')], [WEATHER, NEWS]);
      assert.equal(answer.content, 'As you see.', answer.text);
      assert.match(answer.headers['x-bridge-session'], /^(continued|replayed)$/);
      assert.equal(countIn(cloud.requests.at(-1), 'sunny'), 1);
      assert.ok(offered(cloud.requests.at(-1), 'news'));
    });
  });
}

for (const [name, agent] of Object.entries(AGENTS))
  agentChecks(harnessOf({ name, cli: clis[name], shares: true }), agent);
