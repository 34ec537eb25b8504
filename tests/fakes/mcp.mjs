// An MCP server that is made with the protocol's own SDK, and tells who asks it.
//
//   const server = await startMcp();                   streamable HTTP at server.url, the older SSE at server.sse
//   server.calls                                       what was called: { name, arguments, headers }
//   await server.close();
//
//   node mcp.mjs [name]                                the same over stdio, as clients start it
//
// Its tool `tell` takes a word, and answers "<name> heard <word>, with the key <digest>": of the variable MCP_KEY, or
// of the header X-Mcp-Key.  Only its digest is told, so that the key itself can be looked for everywhere.
// It has a second tool, `wait`, which takes so many ms.
import { createHash } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod/v4';

export const digestOf = key => createHash('sha256').update(key ?? '').digest('hex').slice(0, 16);
export const answerOf = (name, word, key) => `${name} heard ${word}, with the key ${digestOf(key)}`;

function serverOf(name, keyOf, calls = []) {
  const server = new McpServer({ name, version: '1.0.0' });
  const text = said => ({ content: [{ type: 'text', text: said }] });
  server.registerTool('tell', { description: `Tells ${name} a word.`, inputSchema: { word: z.string() } }, ({ word }, extra) => {
    calls.push({ name: 'tell', word, headers: extra.requestInfo?.headers });
    return text(answerOf(name, word, keyOf(extra)));
  });
  server.registerTool('wait', { description: 'Waits so many ms.', inputSchema: { ms: z.number() } }, async ({ ms }) => {
    await sleep(ms);
    return text(`${name} has waited`);
  });
  return server;
}

// Without sessions: each request gets a server of its own.
async function answersOnce(req, res, name, calls) {
  const server = serverOf(name, extra => extra.requestInfo?.headers['x-mcp-key'], calls);
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  res.on('close', () => { transport.close(); server.close(); });
  await server.connect(transport);
  await transport.handleRequest(req, res);
}

export async function startMcp({ name = 'oracle' } = {}) {
  const calls = [], headers = [], urls = [], streams = new Map();

  const listener = http.createServer(async (req, res) => {
    const url = new URL(req.url, 'http://x');
    headers.push(req.headers);
    urls.push(req.url);
    try {
      if (url.pathname === '/sse' && req.method === 'GET') {
        const transport = new SSEServerTransport('/messages', res);
        streams.set(transport.sessionId, transport);
        res.on('close', () => streams.delete(transport.sessionId));
        await serverOf(name, extra => extra.requestInfo?.headers['x-mcp-key'], calls).connect(transport);
      } else if (url.pathname === '/messages') {
        await streams.get(url.searchParams.get('sessionId')).handlePostMessage(req, res);
      } else if (url.pathname === '/mute') { // takes every request, and never answers
        req.resume();
      } else if (url.pathname === '/mcp' && req.method === 'POST') {
        await answersOnce(req, res, name, calls);
      } else {
        res.writeHead(405).end();
      }
    } catch (problem) {
      console.error(problem);
      res.destroy();
    }
  });
  await new Promise((done, failed) => listener.once('error', failed).listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${listener.address().port}`;
  return {
    calls, headers, urls, url: `${origin}/mcp`, sse: `${origin}/sse`, mute: `${origin}/mute`,
    close() {
      listener.closeAllConnections();
      return new Promise(done => listener.close(done));
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await serverOf(process.argv[2] ?? 'oracle', () => process.env.MCP_KEY).connect(new StdioServerTransport());
