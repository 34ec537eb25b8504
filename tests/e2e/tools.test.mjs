// Tools of the caller's, where something goes wrong between a call and its result: many that wait at once, clients that
// answer twice, not at all or something else, and processes that die meanwhile.  What goes well is in suite/tools.mjs.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { IN_CONTAINERS, isGone, isThere, memoryOf, onThisMachine, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { QUESTION, TOOLS, callerOf, callsOf, isParked, messageOf, resultsOf, toolOf, user } from './suite/callers.mjs';
import { PNG, countIn, harnessOf, whole } from './suite/harness.mjs';

const CROWD = 50; // sessions with a call each

function faultChecks(harness) {
  const { name, NAME, cli, start, pids, killsIts } = harness;
  const calls = (...cities) => callsOf(cli, ...cities);

  test(`${name}: many conversations wait for results, and hold no slot`, async t => {
    const { cloud, bridge } = await start(t, { [`${NAME}_MAX_RUNNING`]: '2', [`${NAME}_TOOL_WAIT_MS`]: '600000', [`${NAME}_QUEUE_MS`]: '600000' });
    const { goesOn } = callerOf(harness, cloud, bridge);
    const worker = await bridge.pid(name);
    cloud.always(asked => {
      const [, city] = whole(asked).match(/question-of-(\d+)/) ?? [];
      return !city || whole(asked).includes('result-of-') ? { text: `As you see, ${city}.` } : calls(city);
    });
    const before = memoryOf(worker).now;
    const numbers = Array.from({ length: CROWD }, (_, n) => n);
    const fields = n => n % 2 ? { session_id: `crowd-${n}` } : {};
    const messages = await Promise.all(numbers.map(async n => {
      const answer = await bridge.chat(name, [user(`question-of-${n}`)], { tools: TOOLS, ...fields(n) });
      assert.equal(answer.json?.choices?.[0].finish_reason, 'tool_calls', answer.text);
      return messageOf(answer);
    }));
    await isParked(harness, bridge, CROWD);
    assert.equal(cloud.requests.length, CROWD);
    const grown = memoryOf(worker).now - before;
    t.diagnostic(`the worker has grown by ${grown.toFixed(1)} MiB for ${CROWD} parked conversations; ${pids(bridge).length} processes`);
    assert.ok(grown < 64, `${grown} MiB`);
    const row = await bridge.row(name);
    assert.equal(row.running, 0);
    assert.match((await bridge.run('status', name)).stdout, new RegExp(`${CROWD} parked`));

    await Promise.all([1, 2, 3].map(() => bridge.answers(name, 'hello'))); // of others
    const there = pids(bridge).length;
    const answers = await Promise.all(numbers.toReversed().map(n =>
      goesOn([user(`question-of-${n}`), messages[n], ...resultsOf(messages[n])], fields(n))));
    assert.deepEqual(answers.map(({ content }) => content), numbers.toReversed().map(n => `As you see, ${n}.`));
    assert.equal(cloud.requests.length, 2 * CROWD + 3, 'nothing was asked twice');
    assert.ok(pids(bridge).length <= there, 'no process was started for them');
    await isParked(harness, bridge, 0);
  });

  test(`${name}: what clients do instead of sending results once`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_TOOL_WAIT_MS`]: '600000' });
    const { send, asks, goesOn, refused } = callerOf(harness, cloud, bridge);

    for (const [who, fields] of [['without a session', {}], ['of a session', { session_id: 'twice', cwd }]])
      await t.test(`a client ${who} that answers twice gets the same answer`, async () => {
        const message = await asks(['Rome'], fields);
        const history = [QUESTION, message, ...resultsOf(message)];
        let go;
        cloud.next({ text: 'As you see.', until: new Promise(done => { go = done; }) });
        const first = goesOn(history, fields);
        await waitFor('its model is asked', () => cloud.requests.length === 2);
        const second = goesOn(history, fields);
        await refused(409, /another request/, [...history.slice(0, 2), { ...history[2], content: 'something else' }], fields);
        go();
        const third = await first.then(() => goesOn(history, { ...fields, stream: false }));
        for (const answer of [await second, third]) {
          assert.equal(answer.content, 'As you see.');
          assert.equal(answer.headers['x-bridge-repeated'], 'true');
        }
        assert.equal(cloud.requests.length, 2, 'nothing was asked twice');
        await isParked(harness, bridge, 0);
      });

    await t.test('two that answer at once are one', async () => {
      const message = await asks(['Rome']);
      const history = [QUESTION, message, ...resultsOf(message)];
      cloud.next({ text: 'As you see.' });
      const answers = await Promise.all([1, 2, 3].map(() => goesOn(history)));
      assert.deepEqual(answers.map(({ content }) => content), Array(3).fill('As you see.'));
      assert.equal(cloud.requests.length, 2);
    });

    await t.test('an answer that is told again may have calls itself', async () => {
      const message = await asks(['Rome']);
      const history = [QUESTION, message, ...resultsOf(message)];
      cloud.next(calls('Oslo', 'Bonn'));
      const first = await send(history);
      const again = await send(history);
      assert.equal(again.headers['x-bridge-repeated'], 'true');
      assert.deepEqual(messageOf(again), messageOf(first));
      assert.equal(messageOf(first).tool_calls.length, 2);
      await goesOn([...history, messageOf(again), ...resultsOf(messageOf(again))]);
      assert.equal(cloud.requests.length, 3);
    });

    await t.test('results of two conversations are not mixed', async () => {
      const [one, two] = [await asks(['Rome']), await asks(['Oslo'])];
      cloud.reset();
      await refused(400, /was not made by the answer/, [QUESTION, one, ...resultsOf(one), ...resultsOf(two)]);
      await refused(400, /call_wrong/, [{ role: 'tool', tool_call_id: 'call_wrong', content: 'x' }]);
      await refused(400, /another session/, [QUESTION, two, ...resultsOf(two)], { session_id: 'foreign' });
      assert.equal(cloud.requests.length, 0);
      for (const message of [one, two])
        await goesOn([QUESTION, message, ...resultsOf(message)]);
      assert.equal(cloud.requests.length, 2);
    });

    await t.test('new words instead of results give the calls up', async () => {
      const fields = { session_id: 'abandons', cwd };
      for (const words of ['never-mind-it', 'once-more-please']) {
        const others = pids(bridge);
        const message = await asks(['Rome', 'Oslo'], fields);
        const mine = pids(bridge).filter(pid => !others.includes(pid));
        const answer = await send([QUESTION, message, user(words)], fields);
        assert.equal(answer.status, 200, answer.text);
        assert.match(answer.content, new RegExp(words));
        assert.equal(cloud.requests.length, 2);
        assert.equal(countIn(cloud.requests.at(-1), words), 1);
        await isParked(harness, bridge, 0);
        if (!cli.shared)
          await isGone(() => pids(bridge).filter(pid => mine.includes(pid)), { within: 5000 });
        await refused(400, /nobody waits/, resultsOf(message), fields);
      }
      const last = await send([user('and now?')], fields);
      assert.equal(last.status, 200, last.text);
    });

    await t.test('a session that is deleted waits no longer', async () => {
      const fields = { session_id: 'deleted', cwd };
      await asks(['Rome'], fields);
      await isParked(harness, bridge, 1);
      await bridge.request('DELETE', '/v1/sessions/deleted');
      await isParked(harness, bridge, 0);
    });

    await t.test('a client that leaves in the turn that goes on can send the results again', async () => {
      for (const fields of [{}, { session_id: 'leaves', cwd }]) {
        const message = await asks(['Rome'], fields);
        const history = [QUESTION, message, ...resultsOf(message)];
        cloud.next({ chunks: Array(200).fill('word '), delayMs: 50 });
        const client = bridge.streams(name, history, { tools: TOOLS, ...fields });
        await client.hears(/word word/);
        client.leaves();
        await bridge.isIdle();
        await isParked(harness, bridge, 0);
        cloud.reset().next({ text: 'As you see.' });
        const again = await send(history, fields);
        assert.equal(again.status, 200, again.text);
        assert.equal(again.content, 'As you see.');
        assert.equal(countIn(cloud.requests.at(-1), 'result-of-Rome'), 1);
      }
    });
  });

  test(`${name}: calls and results of all kinds`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_TOOL_WAIT_MS`]: '600000' });
    const { send, asks, goesOn } = callerOf(harness, cloud, bridge);

    await t.test('three calls, answered in another order, one of which has failed', async () => {
      const message = await asks(['Rome', 'Oslo', 'Bonn']);
      const [rome, oslo, bonn] = resultsOf(message);
      await goesOn([QUESTION, message, bonn, { ...rome, content: 'it-has-failed', is_error: true }, oslo]);
      for (const words of ['it-has-failed', 'result-of-Oslo', 'result-of-Bonn'])
        assert.equal(countIn(cloud.requests.at(-1), words), 1, words);
      if (name === 'claude') {
        const blocks = cloud.requests.at(-1).body.messages.at(-1).content.filter(({ type }) => type === 'tool_result');
        assert.deepEqual(blocks.map(({ is_error }) => Boolean(is_error)), [true, false, false]);
      }
    });

    await t.test('calls that are the same are answered one by one', async () => {
      cloud.reset().next({ toolUses: [1, 2].map(() => ({ ...cli.call('weather'), input: { city: 'Rome' } })) });
      const message = messageOf(await send([QUESTION]));
      assert.equal(message.tool_calls.length, 2);
      let n = 0;
      await goesOn([QUESTION, message, ...resultsOf(message, city => `result-${++n}-of-${city}`)]);
      for (const words of ['result-1-of-Rome', 'result-2-of-Rome'])
        assert.equal(countIn(cloud.requests.at(-1), words), 1, words);
    });

    await t.test('a call of a tool that nobody has is none of the caller\'s', async () => {
      cloud.reset().next({ toolUse: { ...cli.call('nothing'), input: {} } }, { text: 'So be it.' });
      const alone = await send([QUESTION]);
      assert.equal(alone.content, 'So be it.', alone.text);
      cloud.reset().next({ toolUses: ['nothing', 'weather'].map(tool => ({ ...cli.call(tool), input: { city: 'Rome' } })) });
      const message = messageOf(await send([QUESTION]));
      assert.deepEqual(message.tool_calls.map(call => call.function.name), ['weather']);
      await goesOn([QUESTION, message, ...resultsOf(message)]);
      assert.equal(countIn(cloud.requests.at(-1), 'result-of-Rome'), 1);
    });

    if (name === 'claude')
      await t.test('a sub-agent is told that it cannot call them', async () => {
        const agent = { name: 'Agent', input: { description: 'look', prompt: 'sub-agent-prompt', subagent_type: 'general-purpose', run_in_background: false } };
        cloud.reset().next({ toolUse: agent }, calls('Rome'), { text: 'I cannot.' }, calls('Oslo'));
        const fields = { bridge: { builtin_tools: true } };
        const message = messageOf(await send([QUESTION], fields));
        assert.deepEqual(message.tool_calls.map(call => JSON.parse(call.function.arguments).city), ['Oslo']);
        assert.equal(countIn(cloud.requests[2], 'Only the main agent can call this tool'), 1);
        await goesOn([QUESTION, message, ...resultsOf(message)], fields);
        assert.equal(countIn(cloud.requests.at(-1), 'result-of-Oslo'), 1);
      });

    await t.test('an image in a result reaches the model', async () => {
      const message = await asks(['Rome']);
      const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } };
      const content = [{ type: 'text', text: 'this-is-how-it-looks' }, image];
      await goesOn([QUESTION, message, { ...resultsOf(message)[0], content }]);
      assert.equal(countIn(cloud.requests.at(-1), 'this-is-how-it-looks'), 1);
      assert.ok(whole(cloud.requests.at(-1)).includes(PNG));
    });

    await t.test('a long result arrives as a whole', async () => {
      const message = await asks(['Rome']);
      const content = `begin ${'long and longer '.repeat(20_000)} end-of-it`;
      await goesOn([QUESTION, message, { ...resultsOf(message)[0], content }]);
      if (name === 'claude') // Codex cuts what is longer than about 12 KB, and says so to its model
        assert.ok(whole(cloud.requests.at(-1)).includes(content));
      assert.ok(whole(cloud.requests.at(-1)).includes('end-of-it'));
    });

    await t.test('an answer that is to be JSON is that, after calls', async () => {
      const value = { rain: true };
      const fields = { response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema: {
        type: 'object', properties: { rain: { type: 'boolean' } }, required: ['rain'], additionalProperties: false,
      } } } };
      const message = await asks(['Rome'], fields);
      cloud.next(cli.structured?.(value) ?? { text: JSON.stringify(value) });
      const answer = await goesOn([QUESTION, message, ...resultsOf(message)], fields);
      assert.deepEqual(JSON.parse(answer.content), value);
      assert.equal(countIn(cloud.requests.at(-1), 'result-of-Rome'), 1);
    });

    await t.test('with tool_choice none the results are taken, and no call is made', async () => {
      const fields = { session_id: 'none', cwd };
      const message = await asks(['Rome'], fields);
      cloud.next({ text: 'As you see.' });
      const before = pids(bridge);
      const answer = await goesOn([QUESTION, message, ...resultsOf(message)], { ...fields, tool_choice: 'none' });
      cloud.next({ toolUse: { ...cli.call('weather'), input: { city: 'Rome' } } }, { text: 'Without it.' });
      const history = [QUESTION, message, ...resultsOf(message), messageOf(answer), user('and now?')];
      const none = await goesOn(history, { ...fields, tool_choice: 'none' }, 'resumed');
      assert.equal(none.content, 'Without it.');
      cloud.next(calls('Oslo'));
      const again = await send([...history, messageOf(none), user('and then?')], fields);
      assert.equal(again.json.choices[0].finish_reason, 'tool_calls', again.text);
      assert.equal(again.headers['x-bridge-session'], 'resumed');
      assert.deepEqual(pids(bridge).filter(pid => !before.includes(pid)), [], 'in the same process');
    });

    await t.test('a session whose tools change is offered the others', async () => {
      const fields = { session_id: 'changes', cwd };
      const offered = () => JSON.stringify(cloud.requests.at(-1).body.tools ?? []);
      cloud.reset().next({ text: 'one' }, { text: 'two' }, { text: 'three' });
      const history = [QUESTION];
      const says = async (tools, words) => {
        const answer = await bridge.chat(name, history, { ...fields, ...tools });
        assert.equal(answer.content, words, answer.text);
        history.push(messageOf(answer), user(`after ${words}`));
        return answer.headers;
      };
      await says({ tools: TOOLS }, 'one');
      assert.ok(offered().includes('weather'));
      const other = await says({ tools: [toolOf('chess')] }, 'two');
      assert.ok(offered().includes('chess') && !offered().includes('weather'), offered());
      assert.equal(countIn(cloud.requests.at(-1), 'the-question-of-all'), 1);
      if (name === 'codex') {
        assert.equal(other['x-bridge-session'], 'replayed');
        assert.match(other['x-bridge-session-reason'], /other tools/);
      } else {
        assert.equal(other['x-bridge-session'], 'resumed');
      }
      await says({}, 'three');
      assert.ok(!offered().includes('chess'), offered());
      assert.equal(countIn(cloud.requests.at(-1), 'after two'), 1);
    });

    await t.test('a session that was resumed tells all calls of a message together', async () => {
      const fields = { session_id: 'resumed', cwd };
      cloud.reset().next({ text: 'one' });
      const first = messageOf(await send([QUESTION], fields));
      await killsIts(bridge);
      cloud.next(calls('Rome', 'Oslo', 'Bonn'), { text: 'As you see.' });
      const history = [QUESTION, first, user('and now?')];
      const answer = await send(history, fields);
      assert.equal(answer.headers['x-bridge-session'], 'resumed', answer.text);
      const offered = JSON.stringify(cloud.requests.at(-1).body.tools);
      assert.ok(offered.includes('weather') && !offered.includes(JSON.stringify(cli.shell('').name)), offered);
      const message = messageOf(answer);
      assert.deepEqual(message.tool_calls.map(call => call.function.name).sort(), ['news', 'time', 'weather']);
      await goesOn([...history, message, ...resultsOf(message).reverse()], fields);
      for (const city of ['Rome', 'Oslo', 'Bonn'])
        assert.equal(countIn(cloud.requests.at(-1), `result-of-${city}`), 1, city);
      assert.equal(cloud.requests.length, 3);
    });

    await t.test('in the mode hosted-safe the caller\'s tools are the only ones', async () => {
      const fields = { mode: 'hosted-safe' };
      const message = await asks(['Rome'], fields);
      await goesOn([QUESTION, message, ...resultsOf(message)], fields);
      const offered = JSON.stringify(cloud.requests.at(-1).body.tools);
      assert.ok(offered.includes('weather'));
      assert.ok(!offered.includes(JSON.stringify(cli.shell('').name)), offered);
      assert.equal(countIn(cloud.requests.at(-1), 'result-of-Rome'), 1);
    });
  });

  test(`${name}: processes die, stop and change while calls wait`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_TOOL_WAIT_MS`]: '600000' });
    const { asks, goesOn } = callerOf(harness, cloud, bridge);
    const both = [{}, {}];
    let number = 0;

    async function waits() {
      const messages = [];
      both[1] = { session_id: `dies-${++number}`, cwd };
      for (const fields of both)
        messages.push(await asks(['Rome'], fields));
      cloud.reset();
      return messages;
    }
    async function goOn(messages, how) {
      const answers = [];
      for (const [i, message] of messages.entries())
        answers.push(await goesOn([QUESTION, message, ...resultsOf(message)], both[i], how));
      assert.equal(cloud.requests.length, both.length);
      for (const request of cloud.requests) {
        assert.equal(countIn(request, 'result-of-Rome'), 1);
        assert.equal(countIn(request, 'the-question-of-all'), 1);
      }
      return answers;
    }
    async function startAnew(messages) {
      for (const { headers } of await goOn(messages, 'replayed'))
        assert.match(headers['x-bridge-session-reason'], /not waited for any more/);
    }

    await t.test('the gateway is killed: they go on', async () => {
      const messages = await waits();
      const before = pids(bridge);
      await bridge.isReplaced('gateway', await bridge.kill('gateway'));
      await bridge.isReady();
      await goOn(messages, 'continued');
      assert.deepEqual(pids(bridge).filter(pid => !before.includes(pid)), [], 'in the same process');
    });

    await t.test('other settings are read: they go on under those that they were begun with', async () => {
      const messages = await waits();
      writeFileSync(join(bridge.directory, '.env'), `${NAME}_ENV_A_NEW_VARIABLE=new\n`, { mode: 0o600 });
      bridge.daemon.kill('SIGHUP');
      await bridge.logs('the configuration was read again');
      await goOn(messages, 'continued');
    });

    await t.test('the worker is killed: they begin anew, and no process is left', async () => {
      const messages = await waits();
      const left = pids(bridge);
      await bridge.isReplaced(name, await bridge.kill(name));
      await isGone(() => left.filter(isThere), { within: 5000 });
      await startAnew(messages);
    });

    await t.test('the CLI is killed: they begin anew', async () => {
      const messages = await waits();
      await killsIts(bridge);
      await isParked(harness, bridge, 0);
      await startAnew(messages);
    });

    await t.test('the worker is restarted: it does not wait for results', async () => {
      const messages = await waits();
      const old = await bridge.pid(name);
      const began = performance.now();
      assert.equal((await bridge.run('restart', name)).code, 0);
      assert.ok(performance.now() - began < onThisMachine(10_000), 'it has not waited');
      await bridge.isReplaced(name, old);
      await startAnew(messages);
    });

    await t.test('the bridge stops: it does not wait for results', async () => {
      const messages = await waits();
      const began = performance.now();
      assert.deepEqual(await bridge.stops(), { code: 0, signal: null });
      assert.ok(performance.now() - began < onThisMachine(10_000), 'it has not waited');
      assert.deepEqual(bridge.processes(), []);
      await bridge.starts();
      await bridge.isReady();
      await startAnew(messages);
    });
  });

  test(`${name}: results that come too late`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_TOOL_WAIT_MS`]: String(onThisMachine(1500)) });
    const { asks, goesOn, refused } = callerOf(harness, cloud, bridge);
    const fields = { session_id: 'late', cwd };
    const messages = [await asks(['Rome']), await asks(['Rome'], fields)];
    await isParked(harness, bridge, 0);
    cloud.reset();
    await refused(400, /nobody waits/, resultsOf(messages[0]));
    assert.equal(cloud.requests.length, 0);
    for (const [i, message] of messages.entries()) {
      const { headers } = await goesOn([QUESTION, message, ...resultsOf(message)], i ? fields : {}, 'replayed');
      assert.match(headers['x-bridge-session-reason'], /not waited for any more/);
      assert.equal(countIn(cloud.requests.at(-1), 'result-of-Rome'), 1);
    }
    assert.equal(cloud.requests.length, 2);
  });
}

if (!IN_CONTAINERS)
  for (const name of ['claude', 'codex'])
    faultChecks(harnessOf({ name, cli: clis[name] }));
