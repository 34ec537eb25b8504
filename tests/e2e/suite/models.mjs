// Every model that GET /v1/models lists can be asked for, in one session, and the first one again after the others.
import assert from 'node:assert/strict';

export async function modelChecks(t, { name }, { bridge, cwd }) {
  const { data } = (await bridge.get('/v1/models')).json;
  const ids = data.filter(({ owned_by }) => owned_by === name).map(({ id }) => id);
  assert.ok(ids.length > 0);
  for (const id of [...ids, ids[0]])
    await t.test(`${id} is listed, and can be asked for`, () => bridge.answers(id, 'hi', { session_id: 'of every model', cwd }));
}
