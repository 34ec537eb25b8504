// An agent that speaks the Agent Client Protocol, and is a bad neighbour on purpose.
//
//   node agent.mjs well       says a word
//   node agent.mjs hung       takes a prompt, and never answers
//   node agent.mjs crashing   exits at once when it is prompted
//   node agent.mjs flooding   says as much as anybody reads, until it is told to stop

const TEXT = 'x'.repeat(4000);      // of a line
const LINES_AT_ONCE = 64;

const say = line => { process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...line })}\n`); };
const update = (sessionId, text) => ({
  method: 'session/update', params: { sessionId, update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } } },
});

const stopped = new Set();

function flood(sessionId, done) {
  const block = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', ...update(sessionId, TEXT) })}\n`.repeat(LINES_AT_ONCE));
  const more = () => stopped.delete(sessionId) ? done('cancelled') : process.stdout.write(block, () => setImmediate(more));
  more();
}

const manners = {
  well(sessionId, done) { say(update(sessionId, 'Hello to you.')); done('end_turn'); },
  hung() {},
  crashing() { process.exit(3); },
  flooding: flood,
};
const manner = manners[process.argv[2] ?? 'well'];

let sessions = 0;
const methods = {
  initialize: () => ({ protocolVersion: 1, agentCapabilities: {}, authMethods: [] }),
  'session/new': () => ({ sessionId: `session-${++sessions}` }),
};

function hear({ id, method, params }) {
  if (methods[method])
    say({ id, result: methods[method](params) });
  else if (method === 'session/prompt')
    manner(params.sessionId, stopReason => say({ id, result: { stopReason } }));
  else if (method === 'session/cancel')
    stopped.add(params.sessionId);
  else if (id !== undefined)
    say({ id, error: { code: -32601, message: `no such method: ${method}` } });
}

let rest = '';
process.stdin.setEncoding('utf8').on('data', text => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  lines.forEach(line => hear(JSON.parse(line)));
}).on('end', () => process.exit(0));
