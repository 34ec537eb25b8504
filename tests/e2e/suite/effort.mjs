// How long the model may think: what the vendor is asked for, that it is asked of one turn only, and what cannot be
// said is refused before anything was spent.
import assert from 'node:assert/strict';

import { waitFor } from '../bridge.mjs';

// In any vendor's words.
const effortOf = ({ body }) => body.output_config?.effort ?? body.reasoning?.effort ?? body.reasoning_effort ??
  (body.thinking?.type === 'disabled' || body.enable_thinking === false ? 'none' : 'usual');

// They keep the level of a turn in which they were killed, until it has been set back: docs/harnesses.md says so.
const KEEP_IT = ['pi', 'kimi'];

export async function effortChecks(t, harness, { cloud, bridge, cwd }) {
  const { name, can, cli, killsIts, shows } = harness;
  const { takes, refuses, says = takes } = cli.effort ?? {};
  const asks = async (said, fields, headers) => {
    const before = cloud.requests.length;
    const answer = await bridge.chat(name, said, { cwd, ...fields }, headers);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(cloud.requests.length, before + 1, 'it costs one request, and no more');
    return { effort: effortOf(cloud.requests.at(-1)), ...answer };
  };

  if (!can('effort')) {
    await t.test('it cannot be told how long to think, and says so', async () => {
      const before = cloud.requests.length;
      const { json } = await bridge.refuses(400, 'unsupported_parameter', name, 'go', { cwd, reasoning_effort: 'low' });
      assert.equal(json.error.param, 'reasoning_effort');
      assert.match(json.error.message, new RegExp(name));
      await bridge.refuses(400, 'unsupported_parameter', name, 'go', { cwd, reasoning_effort: 'medium' }, { 'x-bridge-strict': 'true' });
      assert.equal(cloud.requests.length, before);
      const { headers } = await asks('go', { reasoning_effort: 'medium' });
      assert.match(headers['x-bridge-ignored'], /reasoning_effort/);
      shows('effort', false);
    });
    return;
  }

  await t.test('how long it may think is said for one turn', async () => {
    const session = { session_id: 'thinks' };
    const usual = (await asks('one', session)).effort;
    assert.ok(usual === 'usual' || usual !== takes, usual);
    assert.equal((await asks('two', { ...session, reasoning_effort: takes })).effort, says);
    shows('effort', true);
    assert.equal((await asks('elsewhere', {})).effort, usual);
    // A CLI that cannot be told to say nothing again says what its vendor does then.
    const isUsual = effort => effort === usual || (usual === 'usual' && effort === 'medium');
    const { effort, headers } = await asks('three', session);
    assert.ok(isUsual(effort), effort);
    assert.equal(headers['x-bridge-session'], 'resumed');
    assert.equal((await asks('four', session, { 'x-reasoning-effort': takes })).effort, says);
    if (KEEP_IT.includes(name))
      await asks('five', session);
    await killsIts(bridge, { ifThere: true });
    const last = await asks('six', session);
    assert.ok(isUsual(last.effort), last.effort);
  });

  if (can('warmth') && !KEEP_IT.includes(name))
    await t.test('nor is it said for longer if the CLI is killed in its turn', async () => {
      const session = { session_id: 'is killed', cwd };
      const usual = (await asks('one', session)).effort;
      cloud.next({ hang: true });
      const client = bridge.streams(name, 'two', { ...session, reasoning_effort: takes });
      await waitFor('the vendor is asked', () => cloud.openStreams > 0 || cloud.requests.at(-1).said.at(-1)?.includes('two'));
      await killsIts(bridge);
      await client.ends();
      const last = await asks('three', session);
      assert.ok(last.effort === usual || (usual === 'usual' && last.effort === 'medium'), last.effort);
    });

  await t.test('a word that it does not take is refused', async () => {
    const before = cloud.requests.length;
    if (refuses) {
      const { json } = await bridge.refuses(400, 'unsupported_parameter', name, 'go', { cwd, reasoning_effort: refuses });
      assert.equal(json.error.param, 'reasoning_effort');
      assert.match(json.error.message, new RegExp(`${name}.* takes no "${refuses}", only .*${takes}`));
    }
    await bridge.refuses(400, 'invalid_value', name, 'go', { cwd, reasoning_effort: 'enormous' });
    assert.equal(cloud.requests.length, before);
  });

  await t.test('clients that always say medium are answered', () => asks('go', { reasoning_effort: 'medium' }));
}
