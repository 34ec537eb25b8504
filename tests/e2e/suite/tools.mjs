// Tools of the caller's: a call ends the response, and the request with its result goes on in the same process.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import OpenAI from 'openai';

import { IN_CONTAINERS, PATIENCE, isGone, says, startBridge, test } from '../bridge.mjs';
import { showsWay } from './callers.mjs';
import { countIn, isSameProcess, onHost } from './harness.mjs';

const QUESTION = { role: 'user', content: 'the-question-of-all' };

const toolOf = name => ({
  type: 'function',
  function: { name, description: `It tells the ${name}.`, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
});
const TOOLS = ['weather', 'time', 'news'].map(toolOf);

const resultsOf = message => message.tool_calls.map(call =>
  ({ role: 'tool', tool_call_id: call.id, content: `${call.function.name} of ${JSON.parse(call.function.arguments).city}` }));

const cityOf = call => JSON.parse(call.function.arguments).city;

// Of all tools that the vendor is told of, those that are not the caller's.
const othersIn = ({ body }) => (body.tools ?? []).flatMap(tool => tool.functionDeclarations ?? tool.tools ?? [tool])
  .map(tool => tool.function?.name ?? tool.name).filter(name => !TOOLS.some(({ function: f }) => name.endsWith(f.name)));

// A harness that has no such tools names them as ignored.
const isIgnored = ({ name, shows, start }) => test(`${name}: tools of the caller's are named as ignored`, async t => {
  const { cloud, bridge } = await start(t);
  const { headers } = await bridge.answers(name, 'hello', { tools: TOOLS });
  assert.ok(headers['x-bridge-ignored'].split(', ').includes('tools'), headers['x-bridge-ignored']);
  assert.equal(countIn(cloud.requests.at(-1), 'It tells the weather'), 0);
  for (const what of ['client_tools', 'client_tools_alone', 'client_tools_together'])
    shows(what, false);
});

export function toolChecks(harness) {
  const { name, cli, can, shows, start, pids, killsIts } = harness;
  if (!can('client_tools'))
    return isIgnored(harness);

  onHost(`${name}: a call of the caller's tools ends the response, and its result goes on in the same process`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${name.toUpperCase()}_TOOL_WAIT_MS`]: '60000' });
    const calls = (...cities) => ({ text: 'I look.', toolUses: cities.map((city, i) => ({ ...cli.call(TOOLS[i].function.name), input: { city } })) });
    const send = (messages, fields = {}) => bridge.chat(name, messages, { tools: TOOLS, ...fields });
    const asks = async (cities, fields) => {
      cloud.reset().next(calls(...cities), { text: 'As you see.' });
      const answer = await send([QUESTION], fields);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.choices[0].finish_reason, 'tool_calls', answer.text);
      return { ...answer, message: answer.json.choices[0].message };
    };
    const goesOn = async (messages, fields, how = 'continued') => {
      const answer = await send(messages, fields);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-bridge-session'], how, answer.text);
      assert.equal(answer.json.choices[0].finish_reason, 'stop', answer.text);
      return answer;
    };

    await t.test('all calls of a message come together where they can, and their results in any order', async () => {
      const { message, json } = await asks(['Rome', 'Oslo', 'Bonn']);
      assert.equal(message.content, 'I look.');
      shows('client_tools', true);
      shows('client_tools_together', message.tool_calls.length === 3);
      assert.deepEqual(json.bridge?.tools ?? [], [], 'they are no tools of the harness');
      const before = pids(bridge), messages = [QUESTION, message, ...resultsOf(message).reverse()];
      while (messages.filter(({ role }) => role === 'tool').length < 3) {
        const next = (await send(messages)).json.choices[0];
        assert.equal(next.finish_reason, 'tool_calls');
        messages.push(next.message, ...resultsOf(next.message));
      }
      const made = messages.flatMap(({ tool_calls = [] }) => tool_calls);
      assert.deepEqual(made.map(call => [call.type, call.function.name, cityOf(call)]),
        [['function', 'weather', 'Rome'], ['function', 'time', 'Oslo'], ['function', 'news', 'Bonn']]);
      const last = await goesOn(messages);
      assert.equal(last.content, 'As you see.');
      assert.deepEqual(last.json.bridge?.tools ?? [], []);
      assert.equal(cloud.requests.length, 2);
      for (const word of ['weather of Rome', 'time of Oslo', 'news of Bonn', 'the-question-of-all'])
        assert.equal(countIn(cloud.requests.at(-1), word), 1, word);
      await isSameProcess(() => pids(bridge), before);
    });

    await t.test('the model has no other tools where it can do without them, unless they are wanted', async () => {
      const offered = JSON.stringify(cloud.requests.at(-1).body.tools ?? []), shell = JSON.stringify(cli.shell('').name);
      assert.ok(TOOLS.every(({ function: f }) => offered.includes(f.name)), offered);
      shows('client_tools_alone', !offered.includes(shell));
      if (can('client_tools_alone'))
        assert.deepEqual(othersIn(cloud.requests.at(-1)), cli.keeps ?? []);
      const { message } = await asks(['Rome'], { bridge: { builtin_tools: true } });
      assert.ok(JSON.stringify(cloud.requests.at(-1).body.tools).includes(shell));
      await goesOn([QUESTION, message, ...resultsOf(message)], { bridge: { builtin_tools: true } });
    });

    await t.test('a tool of the harness runs beside them, and is not told of as theirs', async () => {
      cloud.reset().next({ toolUses: [cli.shell('sleep 0.5; printf own-%d 42'), { ...cli.call('weather'), input: { city: 'Rome' } }] }, { text: 'As you see.' });
      const fields = { bridge: { builtin_tools: true }, cwd };
      const { json: { choices: [{ message, finish_reason }] } } = await send([QUESTION], fields);
      assert.equal(finish_reason, 'tool_calls');
      assert.deepEqual(message.tool_calls.map(({ function: f }) => f.name), ['weather']);
      await goesOn([QUESTION, message, ...resultsOf(message)], fields);
      assert.equal(cloud.requests.length, 2);
      for (const word of ['own-42', 'weather of Rome'])
        assert.equal(countIn(cloud.requests.at(-1), word), 1, word);
    });

    await t.test('a session goes on for many rounds, and is warm afterwards', async () => {
      const session = { session_id: 'rounds', cwd };
      cloud.reset().next(calls('Rome'), calls('Oslo'), { text: 'As you see.' }, { text: 'So it is.' });
      const messages = [QUESTION];
      for (const city of ['Rome', 'Oslo']) {
        const { message } = (await send(messages, session)).json.choices[0];
        assert.equal(JSON.parse(message.tool_calls[0].function.arguments).city, city);
        messages.push(message, ...resultsOf(message));
      }
      const answer = await goesOn(messages, session);
      const before = pids(bridge);
      messages.push(answer.json.choices[0].message, { role: 'user', content: 'is it so?' });
      const last = await goesOn(messages, session, 'resumed');
      assert.equal(last.content, 'So it is.');
      assert.equal(cloud.requests.length, 4);
      assert.equal(countIn(cloud.requests.at(-1), 'weather of Oslo'), 1);
      assert.equal(countIn(cloud.requests.at(-1), 'the-question-of-all'), 1);
      await isSameProcess(() => pids(bridge), before);
    });

    await t.test('a title that is asked for beside the calls is no part of their conversation', async () => {
      const session = { session_id: 'titled', cwd }, system = content => ({ role: 'system', content });
      const asksForTitle = async () => {
        cloud.next({ text: 'A title.' });
        const { status, content, text } = await bridge.chat(name, [system('You find titles.'), { role: 'user', content: 'which title has it?' }], session);
        assert.equal(status, 200, text);
        assert.equal(content, 'A title.');
      };
      cloud.reset();
      await asksForTitle();
      cloud.next(calls('Rome'));
      const first = await send([system('You tell the weather.'), QUESTION], session);
      assert.equal(first.headers['x-bridge-session'], 'new');
      const { message } = first.json.choices[0];
      await asksForTitle();
      cloud.next({ text: 'As you see.' });
      const before = pids(bridge);
      assert.equal((await goesOn([system('You tell the weather.'), QUESTION, message, ...resultsOf(message)], session)).content, 'As you see.');
      await isSameProcess(() => pids(bridge), before);
      assert.equal(countIn(cloud.requests.at(-1), 'weather of Rome'), 1);
      assert.equal(countIn(cloud.requests.at(-1), 'which title has it?'), 0);
    });

    await t.test('a system prompt that has changed meanwhile is that of the next turn', async () => {
      const session = { session_id: 'clock', cwd }, at = time => ({ role: 'system', content: `The time is ${time}.` });
      cloud.reset().next(calls('Rome'), { text: 'As you see.' }, { text: 'It does.' });
      const messages = [at('10:00'), QUESTION];
      const { message } = (await send(messages, session)).json.choices[0];
      const before = pids(bridge);
      messages.push(message, ...resultsOf(message));
      messages[0] = at('10:01');
      const answer = await goesOn(messages, session);
      await isSameProcess(() => pids(bridge), before);
      assert.equal(countIn(cloud.requests.at(-1), 'The time is 10:01.'), 0);
      messages.push(answer.json.choices[0].message, { role: 'user', content: 'does it rain?' });
      messages[0] = at('10:02');
      await goesOn(messages, session, cli.forgetsCalls ? 'replayed' : 'resumed');
      assert.ok(countIn(cloud.requests.at(-1), 'The time is 10:02.') > 0);
    });

    await t.test('a name that the CLI cannot have is mapped, there and back', async () => {
      const names = ['mcp__server__tool', `a/b:c.${'d'.repeat(122)}`];
      const tools = names.map((name, i) => ({ type: 'function', function: { name, description: `What-is-number-${i}.`, parameters: TOOLS[0].function.parameters } }));
      const offered = (value, words) => value && typeof value === 'object'
        ? `${value.description}`.includes(words) && value.name ? value : Object.values(value).map(inner => offered(inner, words)).find(Boolean)
        : undefined;
      for (const [i, wanted] of names.entries()) {
        cloud.reset().next(({ body }) => {
          const { name: told } = offered(body.tools, `What-is-number-${i}.`);
          assert.match(told, /^[a-zA-Z0-9_-]{1,128}$/);
          return { toolUse: { ...cli.call('weather'), name: told, input: { city: 'Rome' } } };
        }, { text: 'As you see.' });
        const { json: { choices: [{ message }] } } = await send([QUESTION], { tools });
        assert.equal(message.tool_calls?.[0].function.name, wanted, JSON.stringify(message));
        await goesOn([QUESTION, message, ...resultsOf(message)], { tools });
        assert.equal(cloud.requests.length, 2);
      }
    });

    await t.test('the result alone is enough, and what the user says beside it is heard', async () => {
      const { message } = await asks(['Rome']);
      await goesOn([...resultsOf(message), { role: 'user', content: 'and-be-quick' }]);
      assert.equal(countIn(cloud.requests.at(-1), 'weather of Rome'), 1);
      assert.equal(countIn(cloud.requests.at(-1), 'and-be-quick'), 1);
    });

    await t.test('a long result arrives whole, or as the CLI cuts it', async () => {
      const { message } = await asks(['Rome']);
      const text = `the-beginning ${'of a long result, '.repeat(60_000)}the-end`;
      const { headers } = await goesOn([QUESTION, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: text }]);
      assert.equal(headers['x-bridge-session'], 'continued', 'also where its body is read later');
      // A CLI may have its model sum up before what was said until then.
      assert.ok(cloud.requests.slice(1).some(asked => countIn(asked, 'the-beginning') === 1));
    });

    await t.test('files in a result and beside it reach the model', async () => {
      const file = (filename, file_data) => ({ type: 'file', file: { filename, file_data } }), path = join(cwd, 'note.txt');
      writeFileSync(path, 'the-words-of-the-note');
      const { message } = await asks(['Rome'], { cwd });
      const pdf = Buffer.from('%PDF-1.4 x').toString('base64');
      const content = [{ type: 'text', text: 'before-it' }, file('note.txt', `file://${path}`),
        ...can('pdfs') ? [file('x.pdf', `data:application/pdf;base64,${pdf}`)] : [], { type: 'text', text: 'behind-it' }];
      const beside = { role: 'user', content: [{ type: 'text', text: 'look-at-this' }, file('secret.txt', `file://${join(cwd, 'secret.txt')}`)] };
      await goesOn([QUESTION, message, { ...resultsOf(message)[0], content }, beside], { cwd });
      for (const words of ['before-it', 'the-words-of-the-note', 'behind-it', 'look-at-this', 'the-secret-canary'])
        assert.equal(countIn(cloud.requests.at(-1), words), 1, words);
    });

    await t.test('a wrong result is refused, and touches nothing', async () => {
      const { message } = await asks(can('client_tools_together') ? ['Rome', 'Oslo'] : ['Rome']);
      const [one, ...others] = resultsOf(message);
      const refused = async (results, why, fields) => {
        const { status, json, text } = await send([QUESTION, message, ...results], fields);
        assert.equal(status, 400, text);
        assert.match(json.error.message, why);
      };
      if (others.length)
        await refused([one], /is missing/);
      await refused([one, ...others], /another session/, { session_id: 'stranger' });
      const { status, json } = await send([{ ...one, tool_call_id: 'call_nobodys' }]);
      assert.equal(status, 400);
      assert.match(json.error.message, /call_nobodys/);
      assert.equal(cloud.requests.length, 1);
      await goesOn([QUESTION, message, one, ...others]);
    });

    if (can('mcp'))
      await t.test('a server of the request has another name than theirs', async () => {
        const { status, json } = await send([QUESTION], { mcp: { mcpServers: { client: { type: 'http', url: 'http://127.0.0.1:9/' } } } });
        assert.equal(status, 400);
        assert.match(json.error.message, /mcpServers\.client: /);
      });

    await t.test('streamed, a call has its id and its name before its arguments', async () => {
      const cities = can('client_tools_together') ? ['Rome', 'Oslo'] : ['Rome'];
      cloud.reset().next(calls(...cities));
      const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'none', timeout: PATIENCE, maxRetries: 0 });
      const seen = [];
      for await (const chunk of await client.chat.completions.create({ model: name, messages: [QUESTION], tools: TOOLS, stream: true }))
        seen.push(...(chunk.choices[0]?.delta.tool_calls ?? []), chunk.choices[0]?.finish_reason ?? []);
      const flat = seen.flat();
      assert.equal(flat.at(-1), 'tool_calls');
      for (const [index, city] of cities.entries()) {
        const mine = flat.filter(piece => piece.index === index);
        assert.match(mine[0].id, /^call_/);
        assert.equal(mine[0].function.name, TOOLS[index].function.name);
        assert.deepEqual(JSON.parse(mine.map(piece => piece.function.arguments).join('')), { city });
      }
    });

    await t.test('the runner of the official openai client works', async () => {
      cloud.reset().next(calls('Rome'), { text: 'As you see.' });
      const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'none', timeout: PATIENCE, maxRetries: 0 });
      const run = client.chat.completions.runTools({
        model: name, messages: [QUESTION],
        tools: [{ type: 'function', function: { ...TOOLS[0].function, parse: JSON.parse, function: ({ city }) => `it rains in ${city}` } }],
      });
      assert.equal(await run.finalContent(), 'As you see.');
      assert.equal(cloud.requests.length, 2);
      assert.equal(countIn(cloud.requests.at(-1), 'it rains in Rome'), 1);
    });

    await t.test('where the process is gone, all messages are told anew', async () => {
      for (const fields of [{}, { session_id: 'killed', cwd }]) {
        const { message } = await asks(['Rome'], fields);
        await killsIts(bridge);
        const answer = await goesOn([QUESTION, message, ...resultsOf(message)], fields, 'replayed');
        assert.match(answer.headers['x-bridge-session-reason'], /not waited for any more/);
        assert.equal(countIn(cloud.requests.at(-1), 'weather of Rome'), 1);
      }
    });
  });

  onHost(`${name}: nobody waits for ever for results, and the neighbours of a turn that nobody answers go on`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${name.toUpperCase()}_TOOL_WAIT_MS`]: '1000' });
    const neighbour = { tools: TOOLS, session_id: 'neighbour', cwd };
    const first = await bridge.answers(name, 'hello', neighbour);
    const before = pids(bridge);
    cloud.reset().next({ toolUse: { ...cli.call('weather'), input: { city: 'Rome' } } });
    const { json: { choices: [{ message, finish_reason }] } } = await bridge.chat(name, [QUESTION], { tools: TOOLS });
    assert.equal(finish_reason, 'tool_calls');
    await bridge.logs('no results of the caller\'s tools have come in time');
    const others = () => pids(bridge).filter(pid => !before.includes(pid));
    if (!IN_CONTAINERS || !harness.shares) // it may be in another container, whose process waits for further conversations
      await isGone(others, { within: 5000 });
    const known = pids(bridge);
    const second = await bridge.answers(name, says('hello', first.content, 'are you there?'), neighbour);
    assert.equal(second.headers['x-bridge-session'], 'resumed');
    await isSameProcess(() => pids(bridge), known);
    assert.equal(cloud.requests.length, 2, 'nobody has asked the model to go on without the result');
    const late = await bridge.chat(name, [QUESTION, message, ...resultsOf(message)], { tools: TOOLS });
    assert.equal(late.headers['x-bridge-session'], 'replayed');
    assert.equal(countIn(cloud.requests.at(-1), 'weather of Rome'), 1);
  });

  if (IN_CONTAINERS && showsWay(name))
    test(`${name}: more conversations can wait for results than there are containers`, async t => {
      const { cloud, bridge } = await start(t);
      const waiting = [];
      for (const city of ['Rome', 'Oslo', 'Bonn', 'Bern', 'Kiev']) {
        cloud.reset().next({ toolUse: { ...cli.call('weather'), input: { city } } });
        const question = { role: 'user', content: `the weather of ${city}?` };
        const { json, text } = await bridge.chat(name, [question], { tools: TOOLS });
        assert.equal(json.choices?.[0].finish_reason, 'tool_calls', text);
        waiting.push([question, json.choices[0].message]);
      }
      for (const [question, message] of waiting.reverse()) {
        cloud.reset().next({ text: 'As you see.' });
        const last = await bridge.chat(name, [question, message, ...resultsOf(message)], { tools: TOOLS });
        assert.equal(last.headers['x-bridge-session'], 'continued', last.text);
        assert.equal(last.content, 'As you see.');
        assert.equal(cloud.requests.length, 1);
      }
    });

  if (IN_CONTAINERS && showsWay(name))
    test(`${name}: results wait until no other turn is under way in the container of their conversation`, async t => {
      const { cloud, bridge } = await start(t, { BRIDGE_DOCKER_POOL_SIZE: '1' });
      cloud.next({ toolUse: { ...cli.call('weather'), input: { city: 'Rome' } } });
      const { message } = (await bridge.chat(name, [QUESTION], { tools: TOOLS })).json.choices[0];
      cloud.reset().next({ chunks: Array(20).fill('word '), delayMs: 100 }, { text: 'As you see.' });
      const other = await bridge.streams(name, 'talk').hears(/word/);
      const last = await bridge.chat(name, [QUESTION, message, ...resultsOf(message)], { tools: TOOLS });
      assert.ok(other.finish, 'the other turn has ended');
      assert.equal(last.headers['x-bridge-session'], 'continued', last.text);
      assert.equal(last.content, 'As you see.');
    });

  // By the proxy it reaches its vendor, and nothing else.
  if (IN_CONTAINERS && cli.obeysProxy && showsWay(name))
    test(`${name}: a container without a network reaches the caller's tools`, async t => {
      const cloud = await cli.start();
      t.after(() => cloud.close());
      const bridge = await startBridge(t, {
        backends: [name],
        env: home => ({
          ...cli.setUp(home, cloud, name), BRIDGE_DOCKER_NETWORK: '', [`${name.toUpperCase()}_NET`]: `allow:127.0.0.1:${new URL(cloud.url).port}`,
        }),
      });
      cloud.next({ toolUse: { ...cli.call('weather'), input: { city: 'Rome' } } }, { text: 'As you see.' });
      const { json, text } = await bridge.chat(name, [QUESTION], { tools: TOOLS });
      assert.equal(json.choices?.[0].finish_reason, 'tool_calls', text);
      const { message } = json.choices[0];
      const last = await bridge.chat(name, [QUESTION, message, ...resultsOf(message)], { tools: TOOLS });
      assert.equal(last.headers['x-bridge-session'], 'continued', last.text);
      assert.equal(last.content, 'As you see.');
    });
}
