// A turn runs once, whatever its client repeats.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { waitFor } from '../bridge.mjs';

export async function repeatChecks(t, { name, cli, can, killsIts }, { cloud, bridge, cwd }) {
  const linesIn = file => existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;

  await t.test('a request that comes again while its turn runs is answered by that turn', async () => {
    const session = { session_id: 'repeated', cwd };
    const gate = Promise.withResolvers();
    cloud.reset().always({ until: gate.promise, text: 'one answer' });
    const first = bridge.streams(name, 'again and again', session);
    await waitFor('the vendor is asked', () => cloud.openStreams === 1);
    const second = bridge.streams(name, 'again and again', session);
    const third = bridge.chat(name, 'again and again', session);
    await waitFor('all three wait for one turn', () => bridge.log.match(/order \d+: turn \d+, which asks for the same, answers it/g)?.length === 2).finally(gate.resolve);
    assert.equal((await first.finishes()).text, 'one answer');
    assert.equal((await second.finishes()).text, 'one answer');
    assert.equal((await third).content, 'one answer');
    assert.equal(cloud.requests.length, 1, 'the vendor is asked once');
  });

  await t.test('requests without a session are as many turns', async () => {
    cloud.reset();
    await Promise.all([1, 2].map(() => bridge.answers(name, 'on purpose', { cwd })));
    assert.equal(cloud.requests.length, 2);
  });

  await t.test('requests with the same Idempotency-Key are one turn', async () => {
    cloud.reset();
    const keyed = () => bridge.chat(name, 'by its key', { cwd }, { 'idempotency-key': 'the-same-key' });
    const answers = await Promise.all([keyed(), keyed()]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
    assert.equal(cloud.requests.length, 1);
  });

  await t.test('a turn that has failed after its agent had used a tool is not run again at once', async () => {
    const session = { session_id: 'failing', cwd };
    const ran = join(cwd, 'ran');
    const refusal = can('failures') ? { status: 400, error: 'the stars are wrong' } : { hang: true };
    cloud.reset().always(refusal).next({ toolUse: cli.shell(`echo ran >>${ran}`) });
    const fails = bridge.chat(name, 'work', session);
    if (!can('failures')) {
      await waitFor('the tool has run', () => cloud.requests.length === 2 && linesIn(ran) === 1);
      await killsIts(bridge);
    }
    const first = await fails;
    assert.ok(first.status >= 400, first.text);
    assert.equal(linesIn(ran), 1);
    const asked = cloud.requests.length;
    const second = await bridge.chat(name, 'work', session);
    assert.equal(second.status, first.status);
    assert.equal(second.json.error.code, first.json.error.code);
    assert.equal(second.headers['x-bridge-repeated'], 'true');
    assert.equal(cloud.requests.length, asked, 'the vendor is not asked');
    assert.equal(linesIn(ran), 1);
    cloud.reset();
  });
}
