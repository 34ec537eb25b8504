// A vendor without manners: what it says is bytes, and says nothing about HTTP.
//
//   const vendor = await startRawVendor();
//   vendor.next('HTTP/1.1 200 OK\r\n...', async socket => {...});     steps of the next answer, in order
//   vendor.requests.at(-1)                                             { head, body }, as they came
//   vendor.connections                                                 how many there were
//
// With the option early it answers when it has the head, and reads no more of the request.
// A step is bytes to write, or a function of the socket to wait for.  What it is asked for models it refuses.
import net from 'node:net';

export async function startRawVendor({ early = false } = {}) {
  const scripts = [], sockets = new Set();
  const vendor = { requests: [], connections: 0, next(...steps) { scripts.push(steps); return vendor; } };

  async function answers(socket, head, body) {
    if (head.startsWith('GET '))
      return socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    vendor.requests.push({ head, body });
    for (const step of scripts.shift() ?? ['HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'])
      await (typeof step === 'function' ? step(socket) : new Promise(done => socket.write(step, 'latin1', done)));
  }

  const server = net.createServer(socket => {
    let heard = Buffer.alloc(0);
    if (!socket.remoteAddress)
      return;
    vendor.connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', piece => {
      heard = Buffer.concat([heard, piece]);
      const end = heard.indexOf('\r\n\r\n');
      if (end < 0)
        return;
      const head = heard.subarray(0, end).toString('latin1');
      const length = Number(head.match(/content-length: *(\d+)/i)?.[1] ?? 0);
      if (early && length)
        socket.pause();
      else if (heard.length < end + 4 + length)
        return;
      const body = heard.subarray(end + 4, end + 4 + length).toString('latin1');
      heard = heard.subarray(end + 4 + length);
      answers(socket, head, body);
    });
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  vendor.url = `http://127.0.0.1:${server.address().port}`;
  vendor.close = () => {
    sockets.forEach(socket => socket.destroy());
    return new Promise(done => server.close(done));
  };
  return vendor;
}
