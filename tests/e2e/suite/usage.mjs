// What a turn has used: the vendor's own numbers, of the turn and no other; nothing where nobody has told one; and
// whether the vendor still had in its cache what the session had shown its model before.
import assert from 'node:assert/strict';

const NUMBERS = { prompt_tokens: 1000, completion_tokens: 20, total_tokens: 1020 };

export async function usageChecks(t, harness, { cloud, bridge, cwd }) {
  const { name, can, shows, goesCold } = harness;
  const session = { session_id: 'counted', cwd };
  const begins = { prompt: 1000, cached: 400, output: 20 }, finds = { prompt: 1100, cached: 990, output: 20 };
  const loses = { prompt: 1200, cached: 0, output: 30 };
  const headerOf = ({ how, expected, cached, fresh, rebilled }) =>
    rebilled === undefined ? how : `${how}; expected=${expected}; cached=${cached}; fresh=${fresh}; rebilled=${rebilled}`;
  const hasCost = can('cost');
  let first;

  async function uses(tokens, cache) {
    cloud.next({ tokens });
    const { json, headers } = await bridge.answers(name, 'count', session);
    const expected = can('cache') ? cache : { how: cache.how };
    assert.deepEqual(json.bridge.cache, expected);
    assert.equal(headers['x-bridge-cache'], headerOf(expected));
    return json;
  }

  await t.test('its tokens and their cost are the vendor\'s, and what nobody has told is not there', async () => {
    const { usage, bridge: { usage: rest } } = await uses(begins, { how: 'new' });
    first = usage;
    assert.equal(rest, undefined);
    if (!can('usage')) {
      assert.equal(usage, undefined);
      shows('cache', false);
      return shows('cost', false);
    }
    const { prompt_tokens, completion_tokens, total_tokens } = usage;
    assert.deepEqual({ prompt_tokens, completion_tokens, total_tokens }, NUMBERS);
    assert.equal(usage.prompt_tokens_details?.cached_tokens, can('cache') ? 400 : undefined);
    assert.equal(usage.cost_usd > 0 && /price/.test(usage.cost_source), hasCost);
    shows('cost', 'cost_usd' in usage || 'cost_source' in usage);
    shows('cache', usage.prompt_tokens_details?.cached_tokens === 400);
  });

  await t.test('what was shown before is found in the cache', async () => {
    const how = can('warmth') ? 'warm' : 'resumed';
    const { usage } = await uses(finds, { how, expected: 1000, cached: 990, fresh: 110, rebilled: false });
    if (hasCost)
      assert.ok(usage.cost_usd < first.cost_usd, `it is the turn's: ${usage.cost_usd} after ${first.cost_usd}`);
  });

  await t.test('a session that is resumed and charged anew says so, in a stream as well', async () => {
    await goesCold(bridge);
    cloud.next({ tokens: loses });
    const client = await bridge.streams(name, 'count', session).finishes();
    assert.equal(client.headers['x-bridge-cache'], 'resumed');
    const { bridge: { cache } } = client.chunks.find(({ choices }) => choices[0]?.finish_reason);
    assert.deepEqual(cache, can('cache') ? { how: 'resumed', expected: 1100, cached: 0, fresh: 1200, rebilled: true } : { how: 'resumed' });
  });

  await t.test('a vendor that tells nothing is not taken for one that counts nothing', async () => {
    cloud.next({ tokens: null });
    const client = await bridge.streams(name, 'count', { ...session, stream_options: { include_usage: true } }).finishes();
    const { choices, usage } = client.chunks.at(-1);
    assert.deepEqual([choices, usage], [[], null]);
    for (const { bridge: { cache, usage: rest } = {} } of client.chunks)
      assert.deepEqual([cache?.rebilled, rest], [undefined, undefined]);
  });
}
