// A loopback stand-in for a sandbox service with the HTTP batch API: tests of the harness sandbox talk with it.
//
//   const service = await startSandbox({ keys: ['key-1'] });
//   service.next({ pieces: ['Hello ', 'world'] }, { status: 429, headers: { 'retry-after': '7' } });
//   service.requests.at(-1).body.tasks[0].message
//
// What of the API is known:
//   GET  /health      2xx: it is well
//   POST /batch/run   Authorization; { tasks: [{ id, message, timeoutMs? }], backend: { type, profile }, timeoutMs?,
//                     scalingMode, persistent, env?, metadata?, repoUrl?, gitRef?, capability?, ttlSeconds? }
//                     answers with events: task.progress and task.delta (chunk or content), task.completed
//                     (resultSummary or response; usage { inputTokens, outputTokens }), task.failed
//
// What is not known, and how it is here:
//   - an event has its name in the field `event`; with { unnamed: true } it is the member `type` of the data, which has
//     the rest in `data` or, with { flat: true }, beside it.  A harness has to take all of these.
//   - other events come between (batch.started, task.started, comments), and mean nothing.
//   - a refusal has { "error": { "message" } }, and so has task.failed, or { "error": "..." }.
//   - nothing stops a task but that its stream is closed: `aborted` counts these.
//   - what the service does with the same task id twice is nobody's business here.
//
// A request takes the next behaviour, or the one of always(), or {}:
//   { pieces, by }                 what is said, as task.<by> (delta) in the member `as` (chunk)
//   { result, usage, resultAs }    task.completed has them; by default the pieces, and 10 and 5 tokens
//   { status, error, headers }     a refusal
//   { fails }                      task.failed with this in `error`, behind the pieces
//   { raw: (send, res) => {} }     anything else; send(text) writes
//   { mute: true }                 not even the head of an answer
//   { cut: true }, { ends: true }, { hangs: true }   behind the pieces: broken off, ended, silent

import http from 'node:http';

const MEMBERS = ['tasks', 'backend', 'timeoutMs', 'scalingMode', 'persistent', 'env', 'metadata', 'repoUrl', 'gitRef', 'capability', 'ttlSeconds'];

// What is wrong with the body of a request; undefined: nothing.
function wrongWith(body) {
  const strange = Object.keys(body).find(name => !MEMBERS.includes(name));
  if (strange)
    return `${strange} is not known`;
  if (!Array.isArray(body.tasks) || body.tasks.length !== 1)
    return 'tasks';
  const [task] = body.tasks;
  if (typeof task.id !== 'string' || typeof task.message !== 'string' || Object.keys(task).some(name => !['id', 'message', 'timeoutMs'].includes(name)))
    return 'tasks[0]';
  if (body.backend?.type !== 'opencode' || typeof body.backend.profile !== 'object' || !body.backend.profile)
    return 'backend';
  if (body.scalingMode !== 'balanced' || typeof body.persistent !== 'boolean')
    return 'scalingMode, persistent';
}

export async function startSandbox({ keys = ['the-key-of-the-service'] } = {}) {
  const queue = [];
  let standing = null;
  const service = {
    keys, requests: [], probes: 0, aborted: 0, open: 0, health: 200,
    next(...behaviours) { queue.push(...behaviours); return service; },
    always(behaviour) { standing = behaviour; return service; },
    close: () => new Promise(done => { server.close(done); server.closeAllConnections(); }),
  };

  function answer(behaviour, request, res) {
    const { pieces = ['Hello ', 'world'], by = 'delta', as = 'chunk', unnamed, flat, usage = { inputTokens: 10, outputTokens: 5 } } = behaviour;
    const send = text => res.write(text);
    const event = (name, data) => send(unnamed
      ? `data: ${JSON.stringify(flat ? { type: name, ...data } : { type: name, data })}\r\n\r\n`
      : `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    const taskId = request.body.tasks[0].id;

    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    res.flushHeaders();
    if (behaviour.raw)
      return void behaviour.raw(send, res);
    send(': welcome\n\n');
    event('batch.started', { batchId: 'b-1' });
    event('task.started', { taskId });
    for (const piece of pieces)
      event(`task.${by}`, { taskId, [as]: piece });
    if (behaviour.hangs)
      return;
    if (behaviour.cut)
      return void setTimeout(() => res.destroy(), 50); // so that the pieces are read first
    if (behaviour.fails !== undefined)
      event('task.failed', { taskId, error: behaviour.fails });
    else if (!behaviour.ends)
      event('task.completed', { taskId, [behaviour.resultAs ?? 'resultSummary']: behaviour.result ?? pieces.join(''), ...(usage && { usage }) });
    event('batch.completed', { batchId: 'b-1' });
    res.end();
  }

  function refuse(res, status, message, headers = {}) {
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(JSON.stringify({ error: { message } }));
  }

  const server = http.createServer(async (req, res) => {
    if (req.method === 'GET' && req.url === '/api/health') {
      service.probes++;
      res.writeHead(service.health).end('{}');
      return;
    }
    if (req.method !== 'POST' || req.url !== '/api/batch/run')
      return refuse(res, 404, `there is no ${req.method} ${req.url}`);
    const bytes = [];
    for await (const piece of req)
      bytes.push(piece);
    const request = { headers: req.headers, text: Buffer.concat(bytes).toString() };
    request.body = JSON.parse(request.text);
    service.requests.push(request);
    service.open++;
    res.on('close', () => {
      service.open--;
      service.aborted += !res.writableEnded;
    });
    const behaviour = queue.shift() ?? standing ?? {};
    const wrong = wrongWith(request.body);
    if (!service.keys.some(key => req.headers.authorization === `Bearer ${key}`))
      return refuse(res, 401, `nobody knows the authorization ${req.headers.authorization}`);
    if (wrong)
      return refuse(res, 422, wrong);
    if (behaviour.mute)
      return;
    if (behaviour.status)
      return refuse(res, behaviour.status, behaviour.error ?? 'no', behaviour.headers);
    answer(behaviour, request, res);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  service.url = `http://127.0.0.1:${server.address().port}/api`;
  return service;
}
