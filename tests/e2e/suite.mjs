// What every harness must do, with its real CLI.  A harness's own test file describes it, and adds what is
// peculiar to it:
//
//   suite({
//     name: 'codex',                   what the bridge calls it
//     cli: clis.codex,                 how it is set up, and how its shell is called
//     logIn: /codex login/,            what is said to one that is not logged in
//     install: /npm i/,                and to one that is not installed
//     model: { id: 'fake-small' },     one that is not the default, and what the vendor gets, if that is another name
//     shares: true,                    one process holds many conversations
//     loads: ['nothing', 'project'],   what <NAME>_LOADS can keep to beside everything
//     goesOn: 'aloud',                 when a command in the background has ended it asks its model again by itself;
//                                      'in the turn': its turn ends only then; otherwise it does not
//     inert: text => text,             what it makes of a text so that it is not taken for more
//     env: {},                         further environment of the bridge
//   });
//
// What the CLI can do is what the program says of it: cli-bridge capabilities.
//
// In containers (BRIDGE_TEST_EXECUTOR=docker, see bridge.mjs) what does not depend on where a CLI runs is left out: how
// requests are read, where a session goes on, how a vendor's failures are told.  And what is the same code for several
// harnesses is shown by one of them.  With BRIDGE_TEST_WHOLE=1 nothing is left out.
//
// Starting a CLI takes seconds: many checks share a bridge, and are about what is said, not about how fast,
// but for what has a deadline.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { IN_CONTAINERS, isGone, isThere, onThisMachine, says, startBridge, test, waitFor } from './bridge.mjs';
import { registersSuite } from './limits.mjs';
import { backgroundChecks } from './suite/background.mjs';
import { capabilityChecks } from './suite/capabilities.mjs';
import { conversationChecks } from './suite/conversations.mjs';
import { filesWith, harnessOf, note, onHost, PNG, PROJECT_WORD, running, USER_WORD, WHOLE, whole } from './suite/harness.mjs';
import { messageChecks } from './suite/messages.mjs';
import { recordsChecks } from './suite/records.mjs';
import { requestChecks } from './suite/requests.mjs';
import { safeChecks } from './suite/safe.mjs';
import { serverChecks } from './suite/servers.mjs';
import { termsChecks } from './suite/terms.mjs';
import { toolFaultChecks } from './suite/tool-faults.mjs';
import { toolChecks } from './suite/tools.mjs';

const FAILS_WITHIN = onThisMachine(20_000); // whatever the CLI's own idea of trying again is
const SILENCE_MS = onThisMachine(8000);     // of a vendor, until the turn is given up

// What may be said of a turn of which something was heard, or nothing.
const CUT = ['answer_truncated', 'upstream_failed', 'upstream_overloaded', 'harness_failed'];
const REFUSED = ['upstream_failed', 'upstream_overloaded', 'harness_failed'];

const withUsage = { stream_options: { include_usage: true } };

export const suite = description => registersSuite(() => {
  const harness = harnessOf(description);
  const { name, NAME, cli, can, shows, env: further, check, runsChecks, start, pids, killsIts } = harness;
  const { logIn, install, model, loads = [], inert = text => text } = description;

  check('its turns are warm, and harm nothing beside them', async (t, { cloud, bridge, cwd }) => {
    const session = { session_id: 'warm', cwd };
    const last = () => cloud.requests.at(-1);
    let first, warm;

    await t.test('the first turn streams and finishes', async () => {
      first = await bridge.streams(name, 'hello one', { ...session, ...withUsage }).finishes();
      assert.equal(first.text, 'turn 1: you said "hello one"; before: []');
      assert.equal(first.finish, 'stop');
      assert.equal(first.headers['x-bridge-session'], 'new');
      assert.equal(first.headers['x-bridge-harness'], name);
      warm = can('warmth') ? pids(bridge) : [];
      assert.equal(warm.length > 0, can('warmth'));
    });

    await t.test('the second is answered by the same process, which remembers', async () => {
      const second = await bridge.streams(name, says('hello one', first.text, 'hello two'), { ...session, ...withUsage }).finishes();
      assert.equal(second.text, 'turn 2: you said "hello two"; before: ["hello one"]');
      assert.equal(second.headers['x-bridge-session'], 'resumed');
      await isGone(() => pids(bridge).filter(pid => !warm.includes(pid)), { within: 2000 });
      shows('warmth', pids(bridge).length > 0);
      assert.equal(cloud.requests.length, 2, 'nothing was asked but the turns');
      for (const { usage } of [first, second])
        if (!can('usage')) {
          assert.equal(usage, undefined);
          shows('usage', false);
        } else {
          assert.ok(usage?.prompt_tokens > 0 && usage.completion_tokens > 0, JSON.stringify(usage));
          assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
          assert.ok(usage.total_tokens < 40, `it is the turn's, not the session's: ${JSON.stringify(usage)}`);
          shows('usage', true);
        }
    });

    await t.test('what the user and the project have written down is read', () => {
      assert.match(whole(cloud.requests[0]), new RegExp(USER_WORD));
      assert.match(whole(cloud.requests[0]), new RegExp(PROJECT_WORD));
    });

    await t.test('deltas come as the vendor says them, or as one message', async () => {
      cloud.next({ chunks: ['al', 'phä ', 'be\u2028', 'ta 🙂'], delayMs: 150 });
      const client = await bridge.streams(name, 'go', session).finishes();
      assert.equal(client.text.trim(), 'alphä be\u2028ta 🙂');
      const at = client.chunks.flatMap((chunk, n) => chunk.choices?.[0]?.delta?.content ? [client.at[n]] : []);
      if (can('deltas'))
        assert.ok(at.length >= 3 && at.at(-1) - at[0] >= 200, `${at.length} deltas in ${at.at(-1) - at[0]} ms`);
      else
        assert.ok(at.length < 3, `${at.length} deltas`);
      shows('deltas', at.length >= 3);
    });

    await t.test('thinking is reasoning_content, or is not told', async () => {
      cloud.next({ thinking: 'let me think', text: 'done' });
      const client = await bridge.streams(name, 'think', session).finishes();
      shows('reasoning', client.reasoning.trim() === 'let me think');
      assert.ok(can('reasoning') || client.reasoning === '');
      assert.equal(client.text.trim(), 'done');
    });

    await t.test('its own tools run where the session is, and are told in the extension', async () => {
      cloud.next({ toolUse: cli.shell('echo from-the-tool; pwd; touch made-by-the-tool') });
      const client = await bridge.streams(name, 'run it', session).finishes();
      assert.match(client.text, /the tool said/);
      assert.match(client.text, /from-the-tool/);
      assert.match(client.text, new RegExp(cwd));
      assert.ok(existsSync(join(cwd, 'made-by-the-tool')), 'nobody waits for an approval');
      const call = client.tools.find(tool => tool.name);
      assert.match(JSON.stringify(call.arguments), /echo from-the-tool/);
      const results = client.tools.filter(tool => tool.id === call.id && tool.result !== undefined);
      shows('results', /from-the-tool/.test(JSON.stringify(results)));
      assert.ok(client.deltas.every(delta => !('tool_calls' in delta)));
      assert.equal(client.finish, 'stop');
    });

    await t.test('a long text arrives as it was', async () => {
      const text = `"quotes" 'and' \`ticks\`, $HOME, \\n, tabs\t and\nlines, <b>tags</b>, ${'ünï🙂 '.repeat(20_000)}end`;
      await bridge.answers(name, text);
      const heard = last().said.at(-1).trim();
      assert.ok(heard === text, `${heard.length} of ${text.length}: ${heard.slice(0, 200)}...${heard.slice(-100)}`);
    });

    await t.test('a system message reaches the vendor unabridged', async () => {
      const rule = `always be kind ${'and brief '.repeat(500)}`.trim();
      await bridge.answers(name, [{ role: 'system', content: rule }, { role: 'user', content: 'hi' }]);
      assert.ok(whole(last()).includes(rule));
    });

    if (model)
      await t.test('a model reaches the vendor, and the next turn has its own', async () => {
        const wanted = model.upstream ?? model.id;
        await bridge.answers(`${name}/${model.id}`, 'hi');
        assert.equal(last().model, wanted);
        await bridge.answers(name, 'hi');
        assert.notEqual(last().model, wanted);
      });

    await t.test('an image reaches the vendor, or is refused', async () => {
      const content = [{ type: 'text', text: 'look' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } }];
      if (!can('images')) {
        await bridge.refuses(400, 'unsupported_parameter', name, [{ role: 'user', content }]);
        return shows('images', false);
      }
      await bridge.answers(name, [{ role: 'user', content }]);
      shows('images', whole(last()).includes(PNG));
    });

    await t.test('so does one that was shown before', async () => {
      const content = [{ type: 'text', text: 'look' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } }];
      const messages = [{ role: 'user', content }, { role: 'assistant', content: 'nice' }, { role: 'user', content: 'is it?' }];
      if (!can('images'))
        return bridge.refuses(400, 'unsupported_parameter', name, messages);
      await bridge.answers(name, messages);
      assert.ok(whole(last()).includes(PNG));
    });

    await t.test('a history without a session is known to the model', async () => {
      const answer = await bridge.answers(name, says('my dog is called Rex', 'a fine name', 'how is it called?'));
      for (const text of ['my dog is called Rex', 'a fine name', 'how is it called?'])
        assert.ok(whole(last()).includes(text), text);
      shows('history', /you said "how is it called\?"; before: \["my dog is called Rex"\]/.test(answer.content));
    });

    await t.test('two sessions at once are kept apart', async () => {
      const words = asked => Array(15).fill(`${asked.said.at(-1)} `);
      const both = Promise.withResolvers(); // have asked: nobody is answered before
      cloud.always(asked => ({ chunks: words(asked), delayMs: 60, until: both.promise }));
      const clients = ['left', 'right'].map(side => bridge.streams(name, side, { session_id: side, cwd }));
      await waitFor('both run at once', () => cloud.openStreams === 2);
      both.resolve();
      for (const [n, side] of ['left', 'right'].entries())
        assert.equal((await clients[n].finishes()).text.trim(), Array(15).fill(side).join(' '));
      cloud.reset();
      const answer = await bridge.answers(name, 'again', { session_id: 'left', cwd });
      assert.equal(answer.content, 'turn 2: you said "again"; before: ["left"]');
    });

    await t.test('one goes on when the client of the other leaves', async () => {
      const hasLeft = Promise.withResolvers();
      cloud.always(asked => asked.said.at(-1) === 'stay' ? { chunks: Array(20).fill('stay '), delayMs: 60, until: hasLeft.promise } : { hang: true });
      const going = bridge.streams(name, 'go', { session_id: 'left', cwd });
      const staying = bridge.streams(name, 'stay', { session_id: 'right', cwd });
      await waitFor('both run at once', () => cloud.openStreams === 2);
      going.leaves();
      await isGone(() => cloud.openStreams > 1 ? ['a stream'] : [], { within: 500, since: going.leftAt });
      hasLeft.resolve();
      assert.equal((await staying.finishes()).text.trim(), Array(20).fill('stay').join(' '));
      cloud.reset();
    });

    await t.test('nothing of the caller\'s is in a command line', async () => {
      cloud.next({ hang: true });
      const client = bridge.streams(name, [{ role: 'system', content: 'rule-in-argv' }, { role: 'user', content: 'text-in-argv' }]);
      await waitFor('it asks upstream', () => cloud.openStreams === 1);
      assert.deepEqual([...running('rule-in-argv'), ...running('text-in-argv')], []);
      client.leaves();
      await isGone(() => cloud.openStreams ? ['a stream'] : [], { within: 500, since: client.leftAt });
    });

    await t.test('a turn without a session leaves no word of it behind, if it can', async () => {
      await bridge.answers(name, says('forget-this-word', 'and forget-this-word', 'forget-this-word too'), { cwd });
      if (can('forgetting'))
        await isGone(() => filesWith(bridge.directory, 'forget-this-word'), { within: 3000 });
      else
        assert.ok(filesWith(bridge.directory, 'forget-this-word').length > 0);
      shows('forgetting', can('forgetting'));
    });

    await t.test('its models are listed, and it is in good health', async () => {
      const { data } = (await bridge.get('/v1/models')).json;
      assert.ok(data.length > 0);
      assert.ok(data.every(({ id, owned_by }) => id.startsWith(name) && owned_by === name), JSON.stringify(data));
      for (const { created, name, context_length } of data) {
        assert.ok(Number.isInteger(created) && created < Date.now() / 1000 - 60, `${created} is not the time of asking`);
        assert.ok(name === undefined || name.length > 0);
        assert.ok(context_length === undefined || context_length > 0);
      }
      const row = (await bridge.get('/health')).json.backends.find(row => row.name === name);
      assert.equal(row.state, 'ready');
    });
  });

  test(`${name}: a session outlives its processes`, async t => {
    const { cloud, bridge, cwd } = await start(t);
    const session = { session_id: 'survivor', cwd };

    await t.test('kill -9 of the CLI between two turns', async () => {
      const first = await bridge.answers(name, 'one', session);
      if (can('warmth'))
        await killsIts(bridge);
      const answer = await bridge.answers(name, says('one', first.content, 'two'), session);
      assert.equal(answer.content, 'turn 2: you said "two"; before: ["one"]');
      assert.equal(answer.headers['x-bridge-session'], 'resumed');
      assert.equal(cloud.requests.length, 2, 'nothing was asked twice');
    });

    await t.test('kill -9 of the CLI in the middle of a turn, which fails', async () => {
      cloud.next({ chunks: ['half ', 'of ', 'it'], hangAfter: 2, delayMs: 5 });
      const client = bridge.streams(name, 'three', session);
      await (can('deltas') ? client.hears(/half/) : waitFor('it asks upstream', () => cloud.openStreams === 1));
      await killsIts(bridge);
      await client.ends(FAILS_WITHIN);
      assert.ok(['harness_crashed', 'answer_truncated'].includes((client.error ?? client.json.error).code));
      assert.equal(client.finish, undefined);
      assert.match((await bridge.answers(name, 'four', session)).content, /four"; before: \["one","two"/);
    });

    await t.test('kill -9 of the worker', async () => {
      const orphans = pids(bridge);
      const old = await bridge.kill(name);
      await isGone(() => orphans.filter(isThere), { within: 5000 });
      await bridge.isReplaced(name, old);
      const answer = await bridge.answers(name, 'five', session);
      assert.match(answer.content, /five"; before: \["one","two"/);
      assert.equal(answer.headers['x-bridge-session'], 'resumed');
    });

    // The counts in /health are a little older than what they count.
    const leaves = async (client, rest = () => []) => {
      client.leaves();
      const since = client.leftAt;
      await isGone(() => [...Array(cloud.openStreams).fill('a stream'), ...rest()], { within: 500, since });
      await isGone(async () => (await bridge.get('/health')).json.backends.filter(row => row.running), { within: 1000, since });
    };

    await t.test('a client that leaves takes its turn with it, while it is silent', async () => {
      cloud.next({ hang: true });
      const client = bridge.streams(name, 'six', session);
      await waitFor('it asks upstream', () => cloud.openStreams === 1);
      await leaves(client);
    });

    await t.test('while it streams', async () => {
      cloud.next({ chunks: Array(1000).fill('word '), delayMs: 20 });
      const client = bridge.streams(name, 'seven', session);
      await (can('deltas') ? client.hears(/word/) : waitFor('it asks upstream', () => cloud.openStreams === 1));
      await leaves(client);
    });

    await t.test('and while a tool runs, which is gone', async () => {
      const command = `tail -n ${process.pid}98765 -f /dev/null`; // some refuse to sleep
      cloud.next({ toolUse: cli.shell(command) });
      const client = bridge.streams(name, 'eight', session);
      await waitFor('the tool runs', () => running(command).length > 0);
      await leaves(client, () => running(command));
    });

    await t.test('and the session goes on', async () => {
      assert.match((await bridge.answers(name, 'nine', session)).content, /nine"; before: \["one","two"/);
    });
  });

  async function isGivenUp(t) {
    const { cloud, bridge } = await start(t, { [`${NAME}_TIMEOUT_MS`]: String(SILENCE_MS) });
    const session = { session_id: 'hung' };
    await bridge.answers(name, 'one', session);
    cloud.next({ hang: true });
    await bridge.streams(name, 'two', session).fails('timeout', FAILS_WITHIN);
    await isGone(() => cloud.openStreams ? ['a stream'] : [], { within: 1000 });
    assert.match((await bridge.answers(name, 'three', session)).content, /three"; before: \["one"/);
  }

  onHost(`${name}: what fails is a typed error, in time, and never text`, async t => {
    const silent = isGivenUp(t); // meanwhile: that takes as long as it is told to
    silent.catch(() => {});
    const { cloud, bridge } = await start(t);

    // All in one session, which it must not harm.
    async function fails(behaviour, status, codes, id = name) {
      cloud.reset().always(behaviour);
      if (behaviour.refuses)
        cloud.refuse(behaviour.refuses);
      const began = performance.now();
      const answer = await bridge.chat(id, 'hi', { session_id: 'failing' });
      assert.ok(performance.now() - began < FAILS_WITHIN, 'in time');
      assert.ok(codes.includes(answer.json.error?.code), answer.text);
      if (status)
        assert.equal(answer.status, status, answer.text);
      return answer;
    }

    await t.test('401', () => fails({ status: 401, error: 'invalid api key' }, 401, ['harness_login_required']));
    if (can('haste')) {
      await t.test('429, with the time to wait', async () => {
        const answer = await fails({ status: 429, headers: { 'retry-after': '7' } }, 429, ['rate_limit_exceeded', 'insufficient_quota']);
        shows('delays', Number(answer.headers['retry-after']) > 0);
      });
      await t.test('500', () => fails({ status: 500 }, undefined, REFUSED));
      await t.test('503', () => fails({ status: 503 }, undefined, REFUSED));
      shows('haste', true);
    } else
      await t.test('503 is tried again, for longer than anybody wants to wait here', async () => {
        cloud.reset().always({ status: 503 });
        const client = bridge.streams(name, 'hi', { session_id: 'failing' });
        await waitFor('it is tried again', () => cloud.requests.length >= 3);
        shows('haste', Boolean(client.ended));
        client.leaves();
      });
    await t.test('400', () => fails({ status: 400, error: 'the stars are wrong' }, undefined, ['invalid_value', 'harness_failed', 'upstream_failed']));
    await t.test('a conversation that does not fit', () => fails({ status: 400, error: cli.full }, 400, ['context_length_exceeded']));
    if (model)
      await t.test('a model that the vendor does not know', async () => {
        const upstream = model.upstream ?? model.id;
        await fails({ refuses: upstream }, 404, ['model_not_found'], `${name}/${model.id}`);
      });

    shows('failures', true);

    await t.test('and then it works again', async () => {
      cloud.reset();
      await bridge.answers(name, 'hi', { session_id: 'failing' });
    });

    const says = ['one ', 'two ', 'three '];
    const heard = client => assert.match('one two three ', new RegExp(`^${client.text}`), 'no word comes twice');

    await t.test('a stream that is always cut is no finished answer', async () => {
      cloud.reset().always({ chunks: says, cutAfter: 2, delayMs: 5 });
      const client = await bridge.streams(name, 'hi').ends(FAILS_WITHIN);
      assert.ok(CUT.includes((client.error ?? client.json.error).code));
      assert.equal(client.finish, undefined);
      heard(client);
    });

    await t.test('one that is cut once is the whole answer, or none', async () => {
      cloud.reset().always({ chunks: says }).next({ chunks: says, cutAfter: 2, delayMs: 5 });
      const client = await bridge.streams(name, 'hi').ends(FAILS_WITHIN);
      heard(client);
      if (client.finish)
        assert.equal(client.text, says.join(''));
      else
        assert.ok(CUT.includes((client.error ?? client.json.error).code));
    });

    await t.test('one that ends before it began is no empty answer', async () => {
      cloud.reset().always({ chunks: says, cutAfter: 0 });
      const client = await bridge.streams(name, 'hi').ends(FAILS_WITHIN);
      assert.ok(CUT.includes((client.error ?? client.json.error).code));
      assert.equal(client.finish, undefined);
      assert.equal(client.text, '');
    });

    await t.test('a vendor that says nothing', () => silent);
  });

  if (!IN_CONTAINERS || WHOLE) {
    note(`${name} suite`);
    check('a caller\'s text is inert', async (t, { cloud, bridge, cwd }) => {
      const session = { session_id: 'inert', cwd };
      const texts = ['/help', '/clear', '/compact', '/quit', '@secret.txt', `look at @${join(cwd, 'secret.txt')} please`, '!touch bang', '# note'];
      await bridge.answers(name, 'remember me', session);
      for (const [n, text] of texts.entries())
        await t.test(text.replace(cwd, '...'), async () => {
          await bridge.answers(name, text, session);
          assert.equal(cloud.requests.length, n + 2, 'the turn is one request');
          const { said } = cloud.requests.at(-1);
          assert.equal(said[0], 'remember me');
          assert.equal(said.at(-1).trim(), inert(text));
          assert.doesNotMatch(whole(cloud.requests.at(-1)), /the-secret-canary/);
          assert.equal(existsSync(join(cwd, 'bang')), false);
        });
    });
    capabilityChecks(harness);
    conversationChecks(harness);
    messageChecks(harness);
    termsChecks(harness);
    requestChecks(harness);
    serverChecks(harness);
    safeChecks(harness);
  }
  recordsChecks(harness);
  backgroundChecks(harness);
  runsChecks();
  toolChecks(harness);
  toolFaultChecks(harness);

  for (const level of loads)
    test(`${name}: it can be told to load ${level}`, async t => {
      const { cloud, bridge, cwd } = await start(t, { [`${NAME}_LOADS`]: level });
      const answer = await bridge.answers(name, 'hello', { cwd, session_id: 'x' });
      assert.equal(answer.content, 'turn 1: you said "hello"; before: []');
      assert.equal(whole(cloud.requests[0]).includes(USER_WORD), false);
      assert.equal(whole(cloud.requests[0]).includes(PROJECT_WORD), level === 'project');
    });

  // What is missing is known before anybody asks, and is said to who asks.
  async function isUnavailable(t, env, codes, words) {
    const bridge = await startBridge(t, { backends: [name], env, waits: false });
    const row = await waitFor('it is known', async () =>
      (await bridge.get('/health')).json.backends.find(row => row.name === name && row.state === 'unavailable'));
    assert.match(row.detail, words);
    const answer = await bridge.chat(name, 'hi');
    assert.ok(codes.includes(answer.json.error?.code), answer.text);
    assert.match(answer.json.error.message, words);
  }

  if (!IN_CONTAINERS) // it is in their image
    test(`${name}: one that is not installed is unavailable, and says what to do`, t =>
      isUnavailable(t, { ...further, PATH: '/nonexistent' }, ['harness_not_set_up'], install));

  test(`${name}: one that is not logged in is unavailable, and says what to do`, t =>
    isUnavailable(t, home => ({ ...cli.install(home, name), ...further }), ['harness_not_set_up', 'harness_login_required'], logIn));
});
