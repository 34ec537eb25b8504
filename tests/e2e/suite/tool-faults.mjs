// Between a call of the caller's tools and its result: clients that do something else than sending it once, and processes
// that die.  ../tools.test.mjs has more of that.
import assert from 'node:assert/strict';

import { IN_CONTAINERS, isGone, isThere, test, waitFor } from '../bridge.mjs';
import { QUESTION, TOOLS, callerOf, callsOf, isParked, messageOf, resultsOf, showsWay, user } from './callers.mjs';
import { countIn, isRefused, isSameProcess } from './harness.mjs';

export function toolFaultChecks(harness) {
  const { name, NAME, cli, can, start, pids } = harness;
  if (!can('client_tools') || IN_CONTAINERS || !showsWay(name))
    return;

  test(`${name}: between a call of the caller's tools and its result`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_TOOL_WAIT_MS`]: '100000' });
    const { send, asks, goesOn, refused } = callerOf(harness, cloud, bridge);

    await t.test('results that are sent twice are given once, and get one answer', async () => {
      const message = await asks(['Rome']);
      const history = [QUESTION, message, ...resultsOf(message)];
      let go;
      cloud.next({ text: 'As you see.', until: new Promise(done => { go = done; }) });
      const first = goesOn(history);
      await waitFor('its model is asked', () => cloud.requests.length === 2);
      const second = goesOn(history);
      await refused(409, /another request/, [...history.slice(0, 2), { ...history[2], content: 'something else' }]);
      go();
      assert.equal((await first).content.trim(), 'As you see.');
      for (const answer of [await second, await goesOn(history)]) {
        assert.equal(answer.content.trim(), 'As you see.');
        assert.equal(answer.headers['x-bridge-repeated'], 'true');
      }
      assert.equal(cloud.requests.length, 2, 'nothing was asked twice');
    });

    await t.test('results go on without the tools', async () => {
      const message = await asks(['Rome'], { cwd });
      const { status, headers, text } = await bridge.chat(name, [QUESTION, message, ...resultsOf(message)], { cwd });
      assert.equal(status, 200, text);
      assert.equal(headers['x-bridge-session'], 'continued');
      assert.equal(cloud.requests.length, 2);
      await isParked(harness, bridge, 0);
    });

    await t.test('a result may be an error', async () => {
      const message = await asks(['Rome']);
      await goesOn([QUESTION, message, { ...resultsOf(message)[0], content: 'it-has-failed', is_error: true }]);
      assert.ok(countIn(cloud.requests.at(-1), 'it-has-failed') > 0);
    });

    await t.test('other words of the user give the call up', async () => {
      const fields = { session_id: 'abandons', cwd };
      const message = await asks(['Rome'], fields);
      const answer = await send([QUESTION, message, user('never-mind-it')], fields);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(cloud.requests.length, 2);
      assert.ok(countIn(cloud.requests.at(-1), 'never-mind-it') > 0);
      await isParked(harness, bridge, 0);
      await refused(400, /nobody waits/, resultsOf(message), fields);
      cloud.next(callsOf(cli, 'Oslo'));
      const again = messageOf(await send([QUESTION, message, user('never-mind-it'), messageOf(answer), user('but now')], fields));
      await goesOn(resultsOf(again), fields);
    });

    await t.test('a client that leaves in the turn that goes on can send the result again', async () => {
      const message = await asks(['Rome']);
      const history = [QUESTION, message, ...resultsOf(message)];
      cloud.next({ hang: true });
      const client = bridge.streams(name, history, { tools: TOOLS });
      await waitFor('its model is asked', () => cloud.requests.length === 2);
      client.leaves();
      await bridge.isIdle();
      cloud.reset().next({ text: 'As you see.' });
      const again = await send(history);
      assert.equal(again.content?.trim(), 'As you see.', again.text);
      assert.ok(countIn(cloud.requests.at(-1), 'result-of-Rome') > 0);
    });

    await t.test('in the mode hosted-safe the caller\'s tools are the only ones, or are refused', async () => {
      if (!can('hosted_safe'))
        return;
      const fields = { mode: 'hosted-safe' };
      cloud.reset().next(callsOf(cli, 'Rome'));
      const answer = await send([QUESTION], fields);
      if (answer.status !== 200)
        return isRefused(answer, /^tools: .*hosted-safe/);
      const message = messageOf(answer);
      await goesOn([QUESTION, message, ...resultsOf(message)], fields);
      assert.ok(!JSON.stringify(cloud.requests.at(-1).body.tools).includes(JSON.stringify(cli.shell('').name)));
      assert.equal(countIn(cloud.requests.at(-1), 'result-of-Rome'), 1);
    });

    await t.test('the gateway is killed: the call still waits', async () => {
      const message = await asks(['Rome']);
      const before = pids(bridge);
      await bridge.isReplaced('gateway', await bridge.kill('gateway'));
      await bridge.isReady();
      await goesOn([QUESTION, message, ...resultsOf(message)]);
      assert.equal(cloud.requests.length, 2);
      await isSameProcess(() => pids(bridge), before);
    });

    await t.test('the worker is killed: a new conversation has the call and its result', async () => {
      const message = await asks(['Rome']);
      const left = pids(bridge);
      await bridge.isReplaced(name, await bridge.kill(name));
      await isGone(() => left.filter(isThere), { within: 10_000 });
      const answer = await goesOn([QUESTION, message, ...resultsOf(message)], {}, 'replayed');
      assert.match(answer.headers['x-bridge-session-reason'], /not waited for any more/);
      assert.ok(countIn(cloud.requests.at(-1), 'result-of-Rome') > 0);
    });
  });
}
