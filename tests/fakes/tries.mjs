// Tries to reach things from where it runs, and says of each what it has heard, or the error.
//
//   node tries.mjs '{"a": {"connect": ["192.0.2.1", 80]}, "b": {"tunnel": "example.com:443"}}'
//
//   url        a request of it to the proxy of HTTP_PROXY
//   tunnel     a CONNECT
//   raw        these bytes, to the proxy, or to `socket`
//   connect    a connection: "connected"
//   name       its addresses
//   datagram   one to that address
//   write      a file

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import net from 'node:net';

const MS = 15_000;
const proxy = new URL(process.env.HTTP_PROXY ?? 'http://127.0.0.1:3128');

// Until the other side ends it, or, of an answer that is no end, until its head is there.
const hears = (where, bytes, isTunnel) => new Promise(done => {
  let heard = '';
  const socket = net.connect(where, () => bytes === undefined ? end('connected') : socket.write(bytes));
  const end = what => { socket.destroy(); done(what); };
  socket.setTimeout(MS, () => end(`${heard}...`));
  socket.on('data', data => {
    heard += data;
    if (isTunnel && heard.includes('\r\n\r\n'))
      end(heard);
  });
  socket.on('close', () => done(heard));
  socket.on('error', problem => done(heard || (problem.code === 'ECONNRESET' || problem.code === 'EPIPE' ? '' : problem.code)));
});

const toProxy = { host: proxy.hostname, port: Number(proxy.port) };
const ways = {
  url: ({ url }) => hears(toProxy, `GET ${url} HTTP/1.0\r\nHost: ${new URL(url).host}\r\n\r\n`),
  tunnel: ({ tunnel }) => hears(toProxy, `CONNECT ${tunnel} HTTP/1.1\r\nHost: ${tunnel}\r\n\r\n`, true),
  raw: ({ raw, socket }) => hears(socket ? { path: socket } : toProxy, raw),
  connect: ({ connect: [host, port] }) => hears({ host, port }),
  name: ({ name }) => lookup(name).then(one => one.address, problem => problem.code),
  datagram: ({ datagram }) => new Promise(done => {
    const socket = createSocket('udp4');
    socket.send('hello', 53, datagram, problem => { socket.close(); done(problem?.code ?? 'sent'); });
  }),
  write({ write }) {
    try {
      writeFileSync(write, '');
      return 'written';
    } catch (problem) {
      return problem.code;
    }
  },
};

const results = {};
await Promise.all(Object.entries(JSON.parse(process.argv[2])).map(async ([name, what]) => {
  const way = Object.keys(ways).find(key => key in what);
  results[name] = await ways[way](what);
}));
process.stdout.write(JSON.stringify(results));
