// The images of docker/, built from a bare Debian of this machine's (scripts/test-images), and what compose makes of
// them.  Without a Docker engine (DOCKER_HOST, which scripts/test sets) all of it is skipped.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { comes, test, waitFor } from './bridge.mjs';
import { clis as vendored } from './clis.mjs';

const root = resolve(import.meta.dirname, '../..');
const BUILD_MS = 600_000;
const KEY = 'a-key-of-this-test';
const SOMEBODY = process.getuid() || 4242; // who is no user of the image
const skip = process.env.DOCKER_HOST ? false : 'there is no Docker engine';

const pinned = JSON.parse(readFileSync(join(root, 'tests/package.json'))).dependencies;
const clis = readFileSync(join(root, 'docker/clis'), 'utf8').split('\n').filter(line => line && !line.startsWith('#'))
  .map(line => line.split(/ +/)).map(([name, pkg]) => ({ name, version: /\d+\.\d+\.\d+/.exec(pinned[pkg])[0] }));

// What a program prints; it fails with what it has complained of.
const run = (program, args, { within, ...options } = {}) =>
  comes(`the end of ${program} ${args.join(' ')}`, promisify(execFile)(program, args, { cwd: root, maxBuffer: 1 << 26, ...options }), within)
    .then(({ stdout }) => stdout.trim());
const docker = (...args) => run('docker', args);
const image = async (...what) => (await run('scripts/test-images', what, { within: BUILD_MS })).split('\n').at(-1);

// As a slot has it: any user, nothing writable but a home and /tmp, no privilege, no network.
const asInSlot = (name, command) => docker('run', '--rm', '--network', 'none', '--user', `${SOMEBODY}:${SOMEBODY}`, '--read-only',
  '--tmpfs', '/tmp:exec', '--tmpfs', `/home/somebody:uid=${SOMEBODY}`, '--env', 'HOME=/home/somebody',
  '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', name, 'bash', '-c', command);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await comes('a port', new Promise(done => server.once('listening', done)));
  const { port } = server.address();
  await comes('the port to be free', new Promise(done => server.close(done)));
  return port;
}

test('the image of the CLIs has each in the version that the tests drive, for a user that it does not know', { skip }, async t => {
  const name = await image('clis');
  const said = await asInSlot(name, clis.map(({ name: cli }) => `echo "${cli} says: $(${cli} --version 2>&1 | tr '\\n' ' ')"`).join('\n'));
  for (const { name: cli, version } of clis) {
    await t.test(cli, () => {
      const line = said.split('\n').find(line => line.startsWith(`${cli} says: `));
      assert.match(line, new RegExp(`(?<![.\\d])${version.replaceAll('.', '\\.')}(?!\\.?\\d)`));
    });
  }
  await t.test('what agents need', async () => {
    await asInSlot(name, 'cd && git init -q . && rg --version && ps && curl --version && test -r /etc/ssl/certs/ca-certificates.crt');
  });
  await t.test('its own user is nobody special', async () => {
    assert.equal(await docker('run', '--rm', '--network', 'none', name, 'bash', '-c', 'id -un; id -u; pwd; touch here && echo yes'), 'cli\n1000\n/workspace\nyes');
  });
});

// Built under a name of the test's own, from what has been built before as far as it is the same.
async function build(file, settings) {
  const tag = `cli-bridge-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  await run('docker', ['build', '--quiet', '--force-rm', '--network', 'host', '--file', file, '--tag', tag, '--build-arg', 'BASE=cli-bridge-test-base:latest',
    ...Object.entries(settings).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]), '.'], { within: BUILD_MS });
  return tag;
}

test('an image has only the CLIs that were asked for, by the name of the program or of the harness', { skip }, async t => {
  await image('base');
  const tag = await build('docker/Dockerfile.cli-runtime', { CLIS: 'claudish amp' });
  t.after(() => docker('rmi', tag));
  assert.equal(await docker('run', '--rm', '--network', 'none', tag, 'ls', '/usr/local/bin'), 'amp\nclaude');
  await assert.rejects(build('docker/Dockerfile.cli-runtime', { CLIS: 'claude codec' }), ({ stdout, stderr }) => /"codec" is none of: claude codex /.test(stdout + stderr));
});

// A project of compose's with a bridge: a copy of the file, so that the .env beside it is the test's own.
async function compose(t, { key = KEY } = {}) {
  await image('bridge');
  const name = await build('docker/Dockerfile', { USER_ID: SOMEBODY, GROUP_ID: SOMEBODY }); // as compose's own file builds it
  const dir = mkdtempSync(join(tmpdir(), 'compose-'));
  const port = await freePort();
  const project = `images-${process.pid}-${port}`;
  const socket = process.env.DOCKER_HOST.replace('unix://', '');
  mkdirSync(join(dir, 'docker'));
  copyFileSync(join(root, 'docker/compose.yml'), join(dir, 'docker/compose.yml'));
  for (const [, folder] of readFileSync(join(root, 'docker/compose.yml'), 'utf8').matchAll(/- \$\{HOME\}\/([^:]+):/g))
    mkdirSync(join(dir, folder), { recursive: true });
  const write = text => writeFileSync(join(dir, '.env'), text, { mode: 0o600 });
  write('');
  for (const path of [dir, join(dir, '.env')])
    chownSync(path, SOMEBODY, SOMEBODY);
  const env = {
    PATH: process.env.PATH, HOME: dir, DOCKER_HOST: process.env.DOCKER_HOST, CLI_BRIDGE_IMAGE: name, CLI_BRIDGE_UID: String(SOMEBODY),
    CLI_BRIDGE_GID: String(SOMEBODY), CLI_BRIDGE_PORT: String(port), DOCKER_GID: String(statSync(socket).gid), DOCKER_SOCKET: socket,
    ...key && { BRIDGE_BEARER: key },
  };
  const call = (...args) => run('docker-compose', ['--project-name', project, '--file', join(dir, 'docker/compose.yml'), ...args], { env, cwd: dir });
  t.after(async () => {
    await call('down', '--volumes', '--timeout', '5');
    await docker('rmi', name);
    rmSync(dir, { recursive: true });
  });
  const ask = (path, options = {}) => comes(path, fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${KEY}` }, ...options }));
  return { call, ask, write, dir, project, container: async () => call('ps', '--quiet', 'bridge') };
}

test('compose runs the bridge: healthy, on loopback, as the user, with settings that a SIGHUP reads again', { skip }, async t => {
  const { call, ask, write, project, container } = await compose(t);
  await call('up', '--detach');
  const id = await container();
  await waitFor('healthy', async () => await docker('inspect', '--format', '{{.State.Health.Status}}', id) === 'healthy');
  const said = await ask('/v1/chat/completions', {
    method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'echo/echo', messages: [{ role: 'user', content: 'out of a container' }] }),
  });
  assert.equal((await said.json()).choices[0].message.content, 'out of a container');
  assert.equal((await ask('/v1/models', { headers: {} })).status, 401);
  assert.equal(await docker('inspect', '--format', '{{range $ports := .NetworkSettings.Ports}}{{range $ports}}{{.HostIp}} {{end}}{{end}}', id), '127.0.0.1');
  assert.match(await docker('exec', id, 'id'), new RegExp(`^uid=${SOMEBODY}.* gid=${SOMEBODY}`));
  assert.match(await docker('exec', id, 'cli-bridge', 'status', 'echo'), /^echo +RUNNING /);
  assert.match(await docker('exec', id, 'curl', '--silent', '--unix-socket', '/var/run/docker.sock', 'http://engine/_ping'), /^OK$/);

  const log = () => run('sh', ['-c', `docker logs ${id} 2>&1`]);
  assert.doesNotMatch(await log(), /BRIDGE_PROT/);
  write('BRIDGE_PROT=3344\n');
  await docker('kill', '--signal', 'HUP', id);
  await waitFor('the new settings', async () => /BRIDGE_PROT is no setting/.test(await log()));

  await call('stop');
  assert.equal(await docker('inspect', '--format', '{{.State.ExitCode}}', id), '0');
  await call('down');
  assert.equal(await docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${project}`), '');
});

test('the bridge by compose answers from containers beside its own', { skip }, async t => {
  const cliImage = await image('clis');
  const cloud = await vendored.codex.start();
  t.after(() => cloud.close());
  const { call, ask, write, dir, project, container } = await compose(t);
  const { CODEX_BIN, ...settings } = vendored.codex.setUp(dir, cloud);
  await run('chown', ['-R', `${SOMEBODY}:${SOMEBODY}`, join(dir, '.codex')]);
  write(Object.entries({
    ...settings, BRIDGE_BACKENDS: 'codex', CODEX_EXECUTOR: 'docker', CODEX_DOCKER_IMAGE: cliImage, CODEX_DOCKER_NETWORK: 'host',
    CODEX_DOCKER_POOL_SIZE: 2, CODEX_DOCKER_NAME_PREFIX: project,
  }).map(([name, value]) => `${name}=${value}\n`).join(''));
  await call('up', '--detach');
  const id = await container();
  await waitFor('it is ready', async () => (await ask('/health').then(answer => answer.json(), () => null))?.backends?.[0]?.state === 'ready');

  const says = async text => {
    const answer = await ask('/v1/chat/completions', {
      method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'x-session-id': 'beside' },
      body: JSON.stringify({ model: 'codex', messages: [{ role: 'user', content: text }] }),
    });
    return (await answer.json()).choices?.[0]?.message.content;
  };
  assert.match(await says('one'), /you said "one"/);
  assert.match(await says('two'), /you said "two"; before: \["one"\]/);
  const slots = () => docker('ps', '--all', '--quiet', '--filter', `name=^/${project}-[0-9]+$`).then(text => text.split('\n').filter(Boolean));
  assert.equal((await slots()).length, 2);
  assert.equal(await docker('exec', id, 'ls', '/data/slots/codex'), '0\n1');
  await call('stop');
  await waitFor('no slot is left', async () => (await slots()).length === 0);
});

test('compose and the bridge say what is not set', { skip }, async t => {
  const { call, dir, container } = await compose(t, { key: null });
  await assert.rejects(run('docker-compose', ['--file', 'docker/compose.yml', 'config'], { env: { PATH: process.env.PATH, HOME: dir }, cwd: dir }),
    ({ stderr }) => /group of the engine's socket/.test(stderr));
  await call('up', '--detach');
  await waitFor('why it has not started', async () => /needs BRIDGE_BEARER/.test(await run('sh', ['-c', `docker logs ${await container()} 2>&1`])));
});
